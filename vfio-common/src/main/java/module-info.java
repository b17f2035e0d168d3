/**
 * What devices have in common that are told of as Linux's VFIO tells of them, by the kernel or over
 * a socket: structures with their capabilities, regions, interrupts by eventfd. For Gatun's own
 * backends.
 */
@SuppressWarnings("module") // not every module named below is part of every application
@org.jspecify.annotations.NullMarked
module org.gatun.vfio.common {
  requires static transitive org.jspecify;
  requires transitive org.gatun.nativeaccess;
  requires transitive org.gatun.pci;

  exports org.gatun.vfio.common to
      org.gatun.vfio,
      org.gatun.vfiouser;
}
