package org.gatun.vfio.common;

import org.gatun.pci.DeviceName;
import org.gatun.pci.PortIo;
import org.gatun.pci.RegisterHandler;

/** An I/O BAR: the kernel makes the port accesses. */
record VfioPortIo(DeviceName device, RegisterHandler region, long size) implements PortIo {
  @Override
  public int read8(long offset) {
    return (int) read(offset, 1);
  }

  @Override
  public int read16(long offset) {
    return (int) read(offset, 2);
  }

  @Override
  public int read32(long offset) {
    return (int) read(offset, 4);
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

  private long read(long offset, int width) {
    check("read", offset, width);
    return region.read(offset, width);
  }

  private void write(long offset, int width, int value) {
    check("write", offset, width);
    region.write(offset, width, value);
  }

  private void check(String operation, long offset, int width) {
    if (offset < 0 || offset > size - width) {
      throw new IndexOutOfBoundsException(
          "%s: %s%d of a port at offset 0x%x is not inside %d bytes"
              .formatted(device, operation, width * 8, offset, size));
    }
    if ((offset & (width - 1)) != 0) {
      throw new IllegalArgumentException(
          "%s: %s%d of a port at offset 0x%x is not aligned to its width"
              .formatted(device, operation, width * 8, offset));
    }
  }
}
