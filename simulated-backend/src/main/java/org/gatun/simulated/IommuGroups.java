package org.gatun.simulated;

import java.util.Collection;
import org.gatun.pci.PciAddress;
import org.jspecify.annotations.Nullable;

/**
 * Which devices the IOMMU can tell apart, as Linux works it out ({@code pci_device_group}): those
 * below a bridge that is not isolated by Access Control Services, all the way up, belong to that
 * bridge's group; functions of one device that are not isolated belong together.
 */
final class IommuGroups {
  private IommuGroups() {}

  /**
   * The group of a function that is about to be plugged in.
   *
   * @param present the functions that are there: bridges before what is behind them
   */
  static IommuGroup groupOf(
      PciAddress address, FunctionDescription function, Collection<SimulatedFunction> present) {
    SimulatedFunction bridge = above(address, present);
    if (bridge != null && !isIsolatedUpwards(bridge, present)) {
      return bridge.group();
    }
    if (!function.isolated()) {
      for (SimulatedFunction sibling : present) {
        if (sameSlot(sibling.address(), address) && !sibling.description().isolated()) {
          return sibling.group();
        }
      }
    }
    int number = 0;
    while (isTaken(number, present)) {
      number++;
    }
    return new IommuGroup(number, new IommuDomain());
  }

  /** Whether both are functions of one device. */
  static boolean sameSlot(PciAddress one, PciAddress other) {
    return one.bus() == other.bus() && one.device() == other.device();
  }

  /** The bridge to the bus of that address; null on the root bus. */
  private static @Nullable SimulatedFunction above(
      PciAddress address, Collection<SimulatedFunction> present) {
    return address.bus() == 0
        ? null
        : present.stream().filter(f -> f.secondaryBus() == address.bus()).findFirst().orElseThrow();
  }

  private static boolean isIsolatedUpwards(
      SimulatedFunction bridge, Collection<SimulatedFunction> present) {
    for (SimulatedFunction at = bridge; at != null; at = above(at.address(), present)) {
      if (!at.description().isolated()) {
        return false;
      }
    }
    return true;
  }

  private static boolean isTaken(int number, Collection<SimulatedFunction> present) {
    return present.stream().anyMatch(f -> f.group().number() == number);
  }
}
