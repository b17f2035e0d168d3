package org.gatun.pci.spi;

import java.util.Optional;
import java.util.Set;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciAddress;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;

/**
 * A device that a scan found.
 *
 * @param name what opens it
 * @param address where it is; empty of a device that another process serves
 * @param driver the kernel driver that is bound to it
 * @param iommuGroup its group, if an IOMMU confines it
 * @param hazards what speaks against granting it, as far as a scan can tell
 */
public record FoundDevice(
    DeviceName name,
    Optional<PciAddress> address,
    PciId id,
    PciClass pciClass,
    Optional<String> driver,
    Optional<Integer> iommuGroup,
    Set<Hazard> hazards) {

  /** Copies the hazards. */
  public FoundDevice {
    hazards = Set.copyOf(hazards);
  }
}
