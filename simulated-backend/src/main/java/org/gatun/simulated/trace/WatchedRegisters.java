package org.gatun.simulated.trace;

import org.gatun.pci.Mmio;
import org.gatun.pci.RegisterHandler;
import org.gatun.simulated.trace.Access.Kind;

/**
 * Registers, each access of which is seen.
 *
 * @param start of the registers in their BAR
 */
record WatchedRegisters(Mmio registers, int bar, long start, Observer observer)
    implements RegisterHandler {
  @Override
  public long read(long offset, int width) {
    observer.before();
    long value = read(registers, offset, width);
    observer.saw(Kind.READ, bar, start + offset, width, value);
    return value;
  }

  @Override
  public void write(long offset, int width, long value) {
    observer.before();
    write(registers, offset, width, value);
    observer.saw(Kind.WRITE, bar, start + offset, width, value);
  }

  static long read(Mmio registers, long offset, int width) {
    return switch (width) {
      case 1 -> registers.read8(offset);
      case 2 -> registers.read16(offset);
      case 4 -> registers.read32(offset);
      default -> registers.read64(offset);
    };
  }

  static void write(Mmio registers, long offset, int width, long value) {
    switch (width) {
      case 1 -> registers.write8(offset, (int) value);
      case 2 -> registers.write16(offset, (int) value);
      case 4 -> registers.write32(offset, (int) value);
      default -> registers.write64(offset, value);
    }
  }
}
