package org.gatun.vmtests.machine;

import java.util.Optional;

/**
 * A PCI device of a {@link QtestMachine}, through configuration mechanism 1: the first 256 bytes of
 * its config space, and its BARs. An access of N bytes is one access of N bytes in the machine,
 * aligned to N.
 */
public final class QtestDevice {
  // PCI Local Bus Specification 3.0, 6.2.2 and 6.2.5.
  private static final int COMMAND = 0x04;
  private static final int DECODE = 0x3;
  private static final int BUS_MASTER = 0x4;
  private static final int FIRST_BAR = 0x10;
  private static final int BARS = 6;
  private static final int IO = 0x1;
  private static final int TYPE_64 = 0x4;
  private static final int PREFETCHABLE = 0x8;

  private final QtestMachine machine;
  private final int slot;

  QtestDevice(QtestMachine machine, int slot) {
    this.machine = machine;
    this.slot = slot;
  }

  /** Reads config space, from offset 0 to 0xff. */
  public byte read8(int offset) {
    return machine.port8(select(offset, 1));
  }

  public short read16(int offset) {
    return machine.port16(select(offset, 2));
  }

  public int read32(int offset) {
    return machine.port32(select(offset, 4));
  }

  /** Writes config space, from offset 0 to 0xff. */
  public void write8(int offset, int value) {
    machine.port8(select(offset, 1), (byte) value);
  }

  public void write16(int offset, int value) {
    machine.port16(select(offset, 2), (short) value);
  }

  public void write32(int offset, int value) {
    machine.port32(select(offset, 4), value);
  }

  private int select(int offset, int width) {
    if (offset < 0 || offset > 0x100 - width || offset % width != 0) {
      throw new IllegalArgumentException("config space at %#x/%d".formatted(offset, width));
    }
    return machine.selectConfig(slot, offset);
  }

  /** Lets the device decode its BARs, and do DMA. */
  public void enable() {
    write16(COMMAND, read16(COMMAND) | DECODE | BUS_MASTER);
  }

  /**
   * Finds out a BAR's size as firmware does (6.2.5.1), and gives it a place of its own, also if it
   * had one. The device reacts there when it is {@linkplain #enable enabled}.
   *
   * @param index 0 to 5; the second half of a 64-bit BAR is none
   * @return empty if the device has no such BAR
   */
  public Optional<QtestBar> bar(int index) {
    if (index < 0 || index >= BARS) {
      throw new IllegalArgumentException("BAR " + index);
    }
    int offset = FIRST_BAR + 4 * index;
    short command = read16(COMMAND);
    write16(COMMAND, command & ~DECODE);
    write32(offset, ~0);
    int low = read32(offset);
    if (low == 0) {
      write16(COMMAND, command);
      return Optional.empty();
    }
    boolean ports = (low & IO) != 0;
    boolean is64 = !ports && (low & TYPE_64) != 0;
    long size;
    if (ports) {
      // A device may leave the upper half, which a PC never uses, at 0.
      size = -(0xffff_ffff_ffff_0000L | (low & ~0x3));
    } else if (is64) {
      write32(offset + 4, ~0);
      size = -(((long) read32(offset + 4) << 32) | Integer.toUnsignedLong(low & ~0xf));
    } else {
      size = -(long) (low & ~0xf);
    }
    long address = ports ? machine.allocatePorts(size) : machine.allocateMemory(size);
    write32(offset, (int) address);
    if (is64) {
      write32(offset + 4, (int) (address >>> 32));
    }
    write16(COMMAND, command);
    boolean prefetchable = !ports && (low & PREFETCHABLE) != 0;
    return Optional.of(new QtestBar(machine, ports, is64, prefetchable, size, address));
  }
}
