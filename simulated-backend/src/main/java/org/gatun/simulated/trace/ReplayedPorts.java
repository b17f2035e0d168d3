package org.gatun.simulated.trace;

import org.gatun.pci.PortIo;
import org.gatun.simulated.trace.Access.Kind;

/** The ports of a replayed device. */
record ReplayedPorts(ReplayedDevice device, int bar, long size) implements PortIo {
  @Override
  public int read8(long offset) {
    return read(offset, 1);
  }

  @Override
  public int read16(long offset) {
    return read(offset, 2);
  }

  @Override
  public int read32(long offset) {
    return read(offset, 4);
  }

  @Override
  public void write8(long offset, int value) {
    write(offset, 1, value);
  }

  @Override
  public void write16(long offset, int value) {
    write(offset, 2, value);
  }

  @Override
  public void write32(long offset, int value) {
    write(offset, 4, value);
  }

  private int read(long offset, int width) {
    check("read", offset, width);
    return (int) device.read(new Access(Kind.READ, bar, offset, width, 0));
  }

  private void write(long offset, int width, int value) {
    check("write", offset, width);
    device.act(new Access(Kind.WRITE, bar, offset, width, value));
  }

  private void check(String operation, long offset, int width) {
    if (offset < 0 || offset > size - width) {
      throw new IndexOutOfBoundsException(
          "%s: %s%d of a port at offset 0x%x is not inside %d bytes"
              .formatted(device, operation, width * 8, offset, size));
    }
    if (offset % width != 0) {
      throw new IllegalArgumentException(
          "%s: %s%d of a port at offset 0x%x is not aligned to its width"
              .formatted(device, operation, width * 8, offset));
    }
  }
}
