package org.gatun.vfio.common;

import java.util.List;
import java.util.Optional;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigSpace;

/**
 * Where a device has its MSI-X table (PCI Local Bus Specification 3.0, 6.8.2), which is not for
 * drivers: what is written there are addresses that the device writes to.
 *
 * @param bar negative if there is no table
 */
public record MsixTable(int bar, long offset, long size) {
  private static final int CONTROL = 2;
  private static final int SIZE_MASK = 0x7ff;
  private static final int TABLE = 4;
  private static final int BAR_MASK = 7;
  private static final int ENTRY_SIZE = 16;

  /** As the capability has it: not checked against the BAR. */
  public static MsixTable find(ConfigSpace config) {
    Optional<Capability> capability = Capabilities.walk(config).find(Capability.MSIX);
    if (capability.isEmpty() || capability.get().offset() > config.size() - TABLE - Integer.BYTES) {
      return new MsixTable(-1, 0, 0);
    }
    int at = capability.get().offset();
    int entries = (config.read16(at + CONTROL) & SIZE_MASK) + 1;
    int table = config.read32(at + TABLE);
    return new MsixTable(
        table & BAR_MASK, Integer.toUnsignedLong(table & ~BAR_MASK), (long) entries * ENTRY_SIZE);
  }

  /** The table, if it is in that BAR. */
  public List<Region.Area> in(int index) {
    return bar == index ? List.of(new Region.Area(offset, size)) : List.of();
  }
}
