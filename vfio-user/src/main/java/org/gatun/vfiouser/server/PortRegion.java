package org.gatun.vfiouser.server;

import org.gatun.pci.PortIo;

/** An I/O BAR. */
final class PortRegion extends ExportedRegion {
  private final PortIo ports;

  PortRegion(PortIo ports) {
    super(ports.size());
    this.ports = ports;
  }

  @Override
  int widest(long offset) {
    return Integer.BYTES;
  }

  @Override
  long readOnce(long offset, int width) {
    return switch (width) {
      case 1 -> ports.read8(offset);
      case 2 -> ports.read16(offset);
      default -> ports.read32(offset);
    };
  }

  @Override
  void writeOnce(long offset, int width, long value) {
    switch (width) {
      case 1 -> ports.write8(offset, (int) value);
      case 2 -> ports.write16(offset, (int) value);
      default -> ports.write32(offset, (int) value);
    }
  }
}
