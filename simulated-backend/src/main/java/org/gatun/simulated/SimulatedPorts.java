package org.gatun.simulated;

import org.gatun.pci.DeviceName;
import org.gatun.pci.PortIo;
import org.gatun.pci.RegisterHandler;

/**
 * The ports of an I/O BAR.
 *
 * @param check throws if the device is gone
 */
record SimulatedPorts(DeviceName device, long size, RegisterHandler handler, Runnable check)
    implements PortIo {
  @Override
  public int read8(long offset) {
    return (int) read(offset, 1) & 0xff;
  }

  @Override
  public int read16(long offset) {
    return (int) read(offset, 2) & 0xffff;
  }

  @Override
  public int read32(long offset) {
    return (int) read(offset, 4);
  }

  @Override
  public void write8(long offset, int value) {
    write(offset, 1, value & 0xff);
  }

  @Override
  public void write16(long offset, int value) {
    write(offset, 2, value & 0xffff);
  }

  @Override
  public void write32(long offset, int value) {
    write(offset, 4, value & 0xffff_ffffL);
  }

  private long read(long offset, int width) {
    check("read", offset, width);
    return handler.read(offset, width);
  }

  private void write(long offset, int width, long value) {
    check("write", offset, width);
    handler.write(offset, width, value);
  }

  private void check(String operation, long offset, int width) {
    check.run();
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
