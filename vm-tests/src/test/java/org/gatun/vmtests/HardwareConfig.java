package org.gatun.vmtests;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.StandardOpenOption;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.vfio.sysfs.SysfsDevice;

/**
 * A device's own config space, through sysfs and as root: past VFIO, which shows its users much of
 * it otherwise. To be closed.
 */
final class HardwareConfig implements ConfigSpace, AutoCloseable {
  private final FileChannel file;
  private final int size;

  private HardwareConfig(FileChannel file, int size) {
    this.file = file;
    this.size = size;
  }

  static HardwareConfig open(SysfsDevice device) {
    try {
      FileChannel file =
          FileChannel.open(
              device.directory().resolve("config"),
              StandardOpenOption.READ,
              StandardOpenOption.WRITE);
      return new HardwareConfig(file, (int) file.size());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public int size() {
    return size;
  }

  @Override
  public int read(int offset, int width) {
    ConfigSpace.check(offset, width, size);
    ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    try {
      file.read(bytes.limit(width), offset);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.clear().getInt();
  }

  @Override
  public void write(int offset, int width, int value) {
    ConfigSpace.check(offset, width, size);
    ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    try {
      file.write(bytes.putInt(value).flip().limit(width), offset);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    try {
      file.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
