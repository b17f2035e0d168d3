import org.jspecify.annotations.NullMarked;

/**
 * Real devices: what sysfs tells of them and how they are bound, in {@link org.gatun.vfio.sysfs};
 * VFIO, the IOMMU and interrupts.
 */
@NullMarked
module org.gatun.vfio {
  requires static transitive org.jspecify;
  requires transitive org.gatun.pci;
  requires org.gatun.nativeaccess;

  exports org.gatun.vfio.sysfs;
}
