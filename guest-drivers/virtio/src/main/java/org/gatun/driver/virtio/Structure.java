package org.gatun.driver.virtio;

import java.util.Optional;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.specs.virtio.VirtioPci;

/**
 * Where a structure of the device's is (4.1.4).
 *
 * @param capability offset in config space of what says so
 */
record Structure(int capability, int bar, long offset, long length) {
  private static final int BARS = 6;

  /**
   * The first one of a type that is whole, and in a BAR that there is: others are to be passed over
   * (4.1.4.1).
   *
   * @throws DeviceProtocolException if there is none with that many bytes
   */
  static Structure find(PciDevice device, int type, long least) {
    ConfigSpace config = device.config();
    for (Capability capability : Capabilities.walk(config).list()) {
      int at = capability.offset();
      if (isWhole(config, capability, type) && config.read8(at + VirtioPci.TYPE) == type) {
        int bar = config.read8(at + VirtioPci.BAR);
        long offset = Integer.toUnsignedLong(config.read32(at + VirtioPci.OFFSET));
        long length = Integer.toUnsignedLong(config.read32(at + VirtioPci.SIZE));
        Optional<Bar> where = bar < BARS ? device.bar(bar) : Optional.empty();
        if (where.isPresent()
            && where.get().kind() == Bar.Kind.MEMORY
            && length >= least
            && offset % 4 == 0
            && offset <= where.get().size() - length) {
          return new Structure(at, bar, offset, length);
        }
      }
    }
    throw new DeviceProtocolException(
        device.name(),
        "it has no virtio structure of type %d with %d bytes in a memory BAR"
            .formatted(type, least),
        "a transitional device has to be made a modern one: QEMU's disable-legacy=on",
        null);
  }

  /** Whether it has all that one of a type has (4.1.4): the last one may end with config space. */
  private static boolean isWhole(ConfigSpace config, Capability capability, int type) {
    int size =
        type == VirtioPci.NOTIFY_CONFIG
            ? VirtioPci.LONG_CAPABILITY_SIZE
            : VirtioPci.CAPABILITY_SIZE;
    return !capability.extended()
        && capability.id() == Capability.VENDOR_SPECIFIC
        && capability.offset() + size <= ConfigRegisters.CONVENTIONAL_SIZE
        && config.read8(capability.offset() + VirtioPci.LENGTH) >= size;
  }

  /** Maps as much of it as is needed. */
  Mmio map(PciDevice device, long needed) {
    return device.bar(bar).orElseThrow().map(offset, (needed + 3) & -4L);
  }
}
