import org.jspecify.annotations.NullMarked;

/**
 * The trusted program inside of a guest's process: {@link org.gatun.broker.launcher.Stage1} takes
 * from the process what the guest is not to have, {@link org.gatun.broker.launcher.Stage2} takes up
 * the device, locks the door, and runs the guest. Little else is in its module graph, on purpose.
 */
@SuppressWarnings("module") // the broker is none of the modules in a guest's process
@NullMarked
module org.gatun.broker.launcher {
  requires static transitive org.jspecify;
  requires org.gatun.nativeaccess;
  requires org.gatun.pci;
  requires org.gatun.vfiouser;

  exports org.gatun.broker.launcher to
      org.gatun.broker.service;

  uses org.gatun.pci.spi.PciGuest;
}
