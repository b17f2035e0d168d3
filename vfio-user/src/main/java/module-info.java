import org.gatun.pci.spi.PciBackend;
import org.gatun.pci.spi.SharedMemoryProvider;
import org.gatun.vfiouser.MemfdProvider;
import org.gatun.vfiouser.VfioUserBackend;
import org.jspecify.annotations.NullMarked;

/**
 * PCI devices over a socket, by the vfio-user protocol: {@link org.gatun.vfiouser.DeviceExport}
 * serves any device, {@link org.gatun.vfiouser.VfioUserBackend} opens what somebody serves.
 */
@NullMarked
module org.gatun.vfiouser {
  requires static transitive org.jspecify;
  requires org.gatun.nativeaccess;
  requires transitive org.gatun.pci;
  requires org.gatun.vfio.common;
  requires com.fasterxml.jackson.core;

  exports org.gatun.vfiouser;

  provides PciBackend with
      VfioUserBackend;
  provides SharedMemoryProvider with
      MemfdProvider;
}
