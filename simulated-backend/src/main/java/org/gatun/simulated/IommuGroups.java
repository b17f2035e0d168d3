package org.gatun.simulated;

import java.util.Collection;
import org.jspecify.annotations.Nullable;

/**
 * Which devices the IOMMU can tell apart, as Linux works it out ({@code pci_device_group}): those
 * below a bridge that is not isolated by Access Control Services, all the way up, belong to that
 * bridge's group; functions of one device that are not isolated belong together. So do the
 * downstream ports of a switch that are not isolated, since it passes on between them.
 */
final class IommuGroups {
  private final Collection<SimulatedFunction> present;
  private final SimulatedIommu iommu;

  /**
   * @param present the functions that are there, as they come and go
   */
  IommuGroups(Collection<SimulatedFunction> present, SimulatedIommu iommu) {
    this.present = present;
    this.iommu = iommu;
  }

  /**
   * The group of a function that is about to be plugged in.
   *
   * @param bridge to its bus; null for the root bus
   * @param device the number of its slot
   * @param virtual whether it is a virtual function, which reaches nobody else by itself
   */
  IommuGroup groupOf(
      @Nullable SimulatedFunction bridge,
      int device,
      FunctionDescription function,
      boolean virtual) {
    if (bridge != null && !isIsolatedUpwards(bridge)) {
      return bridge.group();
    }
    if (!function.isolated() && !virtual) {
      for (SimulatedFunction sibling : present) {
        if (!sibling.description().isolated()
            && (sibling.isIn(bridge, device)
                || (sibling.bridge() == bridge
                    && function.port() == PortKind.DOWNSTREAM
                    && sibling.description().port() == PortKind.DOWNSTREAM))) {
          return sibling.group();
        }
      }
    }
    int number = 0;
    while (isTaken(number)) {
      number++;
    }
    return new IommuGroup(number, new IommuDomain(iommu));
  }

  /** An upstream port has nobody to be kept from (PCI Express Base Specification 5.0, 6.12.1.2). */
  private static boolean isIsolatedUpwards(SimulatedFunction bridge) {
    for (SimulatedFunction at = bridge; at != null; at = at.bridge()) {
      FunctionDescription description = at.description();
      if (!description.isolated() && description.port() != PortKind.UPSTREAM) {
        return false;
      }
    }
    return true;
  }

  private boolean isTaken(int number) {
    return present.stream().anyMatch(f -> f.group().number() == number);
  }
}
