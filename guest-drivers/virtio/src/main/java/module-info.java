import org.jspecify.annotations.NullMarked;

/** Drivers for virtio devices: {@link org.gatun.driver.virtio.VirtioDisk} and its like. */
@NullMarked
module org.gatun.driver.virtio {
  requires transitive org.gatun.pci;
  requires org.gatun.specs;
  requires static transitive org.jspecify;

  exports org.gatun.driver.virtio;
}
