import org.gatun.pci.spi.PciBackend;
import org.gatun.vfio.SysfsBackend;
import org.gatun.vfio.VfioBackend;
import org.jspecify.annotations.NullMarked;

/**
 * Real devices: what sysfs tells of them and how they are bound, in {@link org.gatun.vfio.sysfs};
 * VFIO, the IOMMU and interrupts, in {@link org.gatun.vfio}.
 */
@NullMarked
module org.gatun.vfio {
  requires static transitive org.jspecify;
  requires transitive org.gatun.pci;
  requires org.gatun.nativeaccess;
  requires org.gatun.vfio.common;

  exports org.gatun.vfio;
  exports org.gatun.vfio.sysfs;

  provides PciBackend with
      VfioBackend,
      SysfsBackend;
}
