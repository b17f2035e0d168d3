package org.gatun.vfio.sysfs;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.gatun.pci.PciAddress;
import org.gatun.pci.config.ConfigSpace;

/** A copy of a config space: reads only. */
final class ConfigSnapshot implements ConfigSpace {
  private final PciAddress address;
  private final ByteBuffer bytes;

  ConfigSnapshot(PciAddress address, byte[] bytes) {
    this.address = address;
    this.bytes = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public int size() {
    return bytes.capacity();
  }

  @Override
  public int read(int offset, int width) {
    ConfigSpace.check(offset, width, size());
    return switch (width) {
      case 1 -> Byte.toUnsignedInt(bytes.get(offset));
      case 2 -> Short.toUnsignedInt(bytes.getShort(offset));
      default -> bytes.getInt(offset);
    };
  }

  @Override
  public void write(int offset, int width, int value) {
    throw new UnsupportedOperationException(
        address + ": this is a copy of its config space: open the device to write");
  }
}
