package org.gatun.simulated;

import org.gatun.pci.config.ConfigSpace;

/**
 * Registers of a capability through which the host reaches what is behind a BAR, without mapping
 * it: whoever accesses the data accesses what the others select.
 *
 * @param bar offset of the 8-bit register that selects the BAR; as all of these, from the start of
 *     the capability
 * @param offset of the 32-bit one that has the offset in it
 * @param length of the 32-bit one that has the width of the access: 1, 2 or 4
 * @param data of the 32-bit one that is read or written
 */
public record ConfigWindow(int bar, int offset, int length, int data) {
  /** Reaches what is behind the BARs. */
  interface Bars {
    /** Whether there is something to access. */
    boolean has(int bar, long offset, int width);

    long read(int bar, long offset, int width);

    void write(int bar, long offset, int width, long value);
  }

  /** The same, in the config space of a function. */
  ConfigWindow at(int capability) {
    return new ConfigWindow(
        capability + bar, capability + offset, capability + length, capability + data);
  }

  /** Before the host reads config space: fetches what it is to find. */
  void beforeRead(ConfigSpace config, int start, int width, Bars bars, Data fetched) {
    if (touches(start, width)) {
      Access access = access(config);
      if (access.isOf(bars)) {
        fetched.put(data, access.width, (int) bars.read(access.bar, access.offset, access.width));
      }
    }
  }

  /** After the host has written config space: hands on what it wrote. */
  void afterWrite(ConfigSpace config, int start, int width, Bars bars) {
    if (touches(start, width)) {
      Access access = access(config);
      if (access.isOf(bars)) {
        int value = config.read(data, access.width);
        bars.write(access.bar, access.offset, access.width, value);
      }
    }
  }

  /** Takes what was fetched, into registers that only the hardware writes so. */
  @FunctionalInterface
  interface Data {
    void put(int offset, int width, int value);
  }

  private boolean touches(int start, int width) {
    return start < data + Integer.BYTES && start + width > data;
  }

  private Access access(ConfigSpace config) {
    return new Access(
        config.read8(bar), Integer.toUnsignedLong(config.read32(offset)), config.read32(length));
  }

  private record Access(int bar, long offset, int width) {
    boolean isOf(Bars bars) {
      return (width == 1 || width == 2 || width == 4)
          && offset % width == 0
          && bars.has(bar, offset, width);
    }
  }
}
