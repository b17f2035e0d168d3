package org.gatun.simulated.trace;

import org.gatun.pci.PortIo;
import org.gatun.simulated.trace.Access.Kind;

/** The ports of a BAR, each access of which is seen. */
record ObservedPorts(PortIo ports, int bar, Observer observer) implements PortIo {
  @Override
  public long size() {
    return ports.size();
  }

  @Override
  public int read8(long offset) {
    observer.before();
    return saw(offset, 1, ports.read8(offset));
  }

  @Override
  public int read16(long offset) {
    observer.before();
    return saw(offset, 2, ports.read16(offset));
  }

  @Override
  public int read32(long offset) {
    observer.before();
    return saw(offset, 4, ports.read32(offset));
  }

  @Override
  public void write8(long offset, int value) {
    observer.before();
    ports.write8(offset, value);
    observer.saw(Kind.WRITE, bar, offset, 1, value);
  }

  @Override
  public void write16(long offset, int value) {
    observer.before();
    ports.write16(offset, value);
    observer.saw(Kind.WRITE, bar, offset, 2, value);
  }

  @Override
  public void write32(long offset, int value) {
    observer.before();
    ports.write32(offset, value);
    observer.saw(Kind.WRITE, bar, offset, 4, value);
  }

  private int saw(long offset, int width, int value) {
    observer.saw(Kind.READ, bar, offset, width, value);
    return value;
  }
}
