package org.gatun.simulated;

import org.gatun.pci.config.ConfigRegisters;

/**
 * What a kernel shows of the header of a virtual function, as VFIO does, in place of registers that
 * it lacks (PCI Express Base Specification 5.0, 9.3.4.1): ids, the bit for memory in the command
 * register, BARs. Guarded by this.
 */
final class VirtualHeader {
  private static final int BARS_END = ConfigRegisters.BAR0 + 6 * 4;

  private final RegisterBytes shown = new RegisterBytes(ConfigRegisters.HEADER_END);
  private final RegisterBytes writable = new RegisterBytes(ConfigRegisters.HEADER_END);

  /** Which bits are the kernel's. */
  private final RegisterBytes emulated = new RegisterBytes(ConfigRegisters.HEADER_END);

  /**
   * @param layout of a function with all that a virtual one lacks
   */
  VirtualHeader(ConfigLayout layout) {
    for (int offset = 0; offset < ConfigRegisters.HEADER_END; offset++) {
      shown.put(offset, 1, layout.values.get(offset, 1));
      if (offset >= ConfigRegisters.BAR0 && offset < BARS_END) {
        writable.put(offset, 1, layout.writable.get(offset, 1));
      }
    }
    emulated.put(ConfigRegisters.VENDOR_ID, 4, -1);
    emulated.put(ConfigRegisters.COMMAND, 2, ConfigRegisters.COMMAND_MEMORY);
    writable.put(ConfigRegisters.COMMAND, 2, ConfigRegisters.COMMAND_MEMORY);
    for (int offset = ConfigRegisters.BAR0; offset < BARS_END; offset += 4) {
      emulated.put(offset, 4, -1);
    }
  }

  /**
   * @param value that the hardware has
   */
  synchronized int read(int offset, int width, int value) {
    if (offset >= emulated.size()) {
      return value;
    }
    int mask = emulated.get(offset, width);
    return (value & ~mask) | (shown.get(offset, width) & mask);
  }

  synchronized void write(int offset, int width, int value) {
    if (offset < writable.size()) {
      int mask = writable.get(offset, width);
      shown.put(offset, width, (shown.get(offset, width) & ~mask) | (value & mask));
    }
  }
}
