package org.gatun.broker;

import org.gatun.pci.PortIo;

/** The I/O ports of a BAR, as far as they were granted. */
final class GrantedPorts implements PortIo {
  /** Whether an access is the guest's. */
  @FunctionalInterface
  interface Check {
    boolean allows(long offset, int width);
  }

  private final PortIo inner;
  private final Gate gate;
  private final Check reads;
  private final Check writes;
  private final GrantedBar.DeniedAccess deniedAccess;

  GrantedPorts(
      PortIo inner, Gate gate, Check reads, Check writes, GrantedBar.DeniedAccess deniedAccess) {
    this.inner = inner;
    this.gate = gate;
    this.reads = reads;
    this.writes = writes;
    this.deniedAccess = deniedAccess;
  }

  @Override
  public long size() {
    return inner.size();
  }

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
    long stamp = gate.enter("port read");
    try {
      if (isInside(offset, width) && !reads.allows(offset, width)) {
        deniedAccess.denied(offset, width);
        return -1 >>> (32 - 8 * width);
      }
      return switch (width) {
        case 1 -> inner.read8(offset);
        case 2 -> inner.read16(offset);
        default -> inner.read32(offset);
      };
    } finally {
      gate.leave(stamp);
    }
  }

  private void write(long offset, int width, int value) {
    long stamp = gate.enter("port write");
    try {
      if (isInside(offset, width) && !writes.allows(offset, width)) {
        deniedAccess.denied(offset, width);
        return;
      }
      switch (width) {
        case 1 -> inner.write8(offset, value);
        case 2 -> inner.write16(offset, value);
        default -> inner.write32(offset, value);
      }
    } finally {
      gate.leave(stamp);
    }
  }

  /** What is outside is for the backend to refuse. */
  private boolean isInside(long offset, int width) {
    return offset >= 0 && offset <= size() - width;
  }
}
