import org.jspecify.annotations.NullMarked;

/** A driver for QEMU's educational device: {@link org.gatun.driver.edu.EduDevice}. */
@NullMarked
module org.gatun.driver.edu {
  requires transitive org.gatun.pci;
  requires org.gatun.specs;
  requires static transitive org.jspecify;

  exports org.gatun.driver.edu;
}
