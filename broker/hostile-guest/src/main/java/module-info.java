import org.jspecify.annotations.NullMarked;

/**
 * A guest that does what its first argument says: honest work, or one attempt to get what it is not
 * to have. What comes of it, it prints.
 */
@NullMarked
module org.gatun.hostile {
  requires org.gatun.driver.edu;
  requires org.gatun.driver.nvme;
  requires static org.gatun.hostile.nativehelper;
  requires static org.jspecify;

  provides org.gatun.pci.spi.PciGuest with
      org.gatun.hostile.HostileGuest;
}
