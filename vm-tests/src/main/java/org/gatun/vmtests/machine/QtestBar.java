package org.gatun.vmtests.machine;

import java.util.Objects;

/**
 * A BAR that has its place in a {@link QtestMachine}. Offsets are in bytes, from 0 to its size.
 *
 * @param ports whether it is of I/O ports, which know no 64-bit accesses
 * @param size in bytes
 * @param address in the machine's memory or among its ports
 */
public record QtestBar(
    QtestMachine machine,
    boolean ports,
    boolean is64,
    boolean prefetchable,
    long size,
    long address) {
  public byte read8(long offset) {
    long at = at(offset, 1);
    return ports ? machine.port8((int) at) : machine.read8(at);
  }

  public short read16(long offset) {
    long at = at(offset, 2);
    return ports ? machine.port16((int) at) : machine.read16(at);
  }

  public int read32(long offset) {
    long at = at(offset, 4);
    return ports ? machine.port32((int) at) : machine.read32(at);
  }

  public long read64(long offset) {
    return machine.read64(memoryAt(offset));
  }

  public void write8(long offset, int value) {
    long at = at(offset, 1);
    if (ports) {
      machine.port8((int) at, (byte) value);
    } else {
      machine.write8(at, (byte) value);
    }
  }

  public void write16(long offset, int value) {
    long at = at(offset, 2);
    if (ports) {
      machine.port16((int) at, (short) value);
    } else {
      machine.write16(at, (short) value);
    }
  }

  public void write32(long offset, int value) {
    long at = at(offset, 4);
    if (ports) {
      machine.port32((int) at, value);
    } else {
      machine.write32(at, value);
    }
  }

  public void write64(long offset, long value) {
    machine.write64(memoryAt(offset), value);
  }

  private long memoryAt(long offset) {
    if (ports) {
      throw new IllegalStateException("I/O ports know no 64-bit accesses");
    }
    return at(offset, 8);
  }

  private long at(long offset, int width) {
    return address + Objects.checkFromIndexSize(offset, width, size);
  }
}
