package org.gatun.pci.config;

/**
 * A copy of config space, made once: what it says does not change, whatever the hardware says
 * later. It is only read.
 */
public final class ConfigSnapshot implements ConfigSpace {
  private final byte[] bytes;

  private ConfigSnapshot(byte[] bytes) {
    this.bytes = bytes;
  }

  /** Reads a config space, each register once. */
  public static ConfigSnapshot of(ConfigSpace config) {
    byte[] bytes = new byte[config.size()];
    for (int offset = 0; offset < bytes.length; offset += Integer.BYTES) {
      int value = config.read32(offset);
      for (int i = 0; i < Integer.BYTES; i++) {
        bytes[offset + i] = (byte) (value >>> (8 * i));
      }
    }
    return new ConfigSnapshot(bytes);
  }

  /** Of what was read before, from the beginning: as much of it as there is. */
  public static ConfigSnapshot of(byte[] bytes) {
    return new ConfigSnapshot(bytes.clone());
  }

  @Override
  public int size() {
    return bytes.length;
  }

  @Override
  public int read(int offset, int width) {
    ConfigSpace.check(offset, width, bytes.length);
    int value = 0;
    for (int i = 0; i < width; i++) {
      value |= (bytes[offset + i] & 0xff) << (8 * i);
    }
    return value;
  }

  /**
   * Never.
   *
   * @throws UnsupportedOperationException always
   */
  @Override
  public void write(int offset, int width, int value) {
    throw new UnsupportedOperationException("a snapshot of config space is only read");
  }
}
