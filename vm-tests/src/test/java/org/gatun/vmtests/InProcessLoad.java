package org.gatun.vmtests;

import org.gatun.hostile.DiskLoad;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.vfio.VfioBackend;

/**
 * What a guest of {@link GuestIoInVm} does, with no broker: reads a disk through VFIO. Arguments:
 * the device's name, how many reads.
 */
final class InProcessLoad {
  private InProcessLoad() {}

  static void main(String[] arguments) {
    try (PciDevice device = new VfioBackend().open(DeviceName.parse(arguments[0]))) {
      DiskLoad.measure(device, Long.parseLong(arguments[1]), () -> {});
    }
  }
}
