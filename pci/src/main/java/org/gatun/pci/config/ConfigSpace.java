package org.gatun.pci.config;

/**
 * The configuration space of a function: 256 bytes, or 4096 with PCI Express. Any thread; not for
 * the data path, an access may take a system call.
 */
public interface ConfigSpace {
  /** In bytes: 256, or 4096. */
  int size();

  /**
   * One access of exactly that width.
   *
   * @param offset in bytes, a multiple of the width, with the access wholly inside
   * @param width 1, 2 or 4 bytes
   * @return the value, zero-extended (for width 4, as the int with those bits)
   * @throws IllegalArgumentException if offset or width break their rules
   * @throws org.gatun.pci.DeviceGoneException if the device is closed
   */
  int read(int offset, int width);

  /**
   * One access of exactly that width. What a write does, and whether it does anything, is for the
   * backend and its policy.
   *
   * @param value in the low bits; what is above them is ignored
   * @throws IllegalArgumentException as for {@link #read}
   * @throws org.gatun.pci.DeviceGoneException if the device is closed
   */
  void write(int offset, int width, int value);

  /** Reads 8 bits, zero-extended. */
  default int read8(int offset) {
    return read(offset, 1);
  }

  /** Reads 16 bits, zero-extended. */
  default int read16(int offset) {
    return read(offset, 2);
  }

  /** Reads 32 bits. */
  default int read32(int offset) {
    return read(offset, 4);
  }

  /** Writes the low 8 bits. */
  default void write8(int offset, int value) {
    write(offset, 1, value);
  }

  /** Writes the low 16 bits. */
  default void write16(int offset, int value) {
    write(offset, 2, value);
  }

  /** Writes 32 bits. */
  default void write32(int offset, int value) {
    write(offset, 4, value);
  }

  /**
   * For implementations: the rules of {@link #read}.
   *
   * @throws IllegalArgumentException if the access breaks them
   */
  static void check(int offset, int width, int size) {
    if (width != 1 && width != 2 && width != 4) {
      throw new IllegalArgumentException(
          "config space is read and written in 1, 2 or 4 bytes, not " + width);
    }
    if (offset < 0 || offset > size - width || offset % width != 0) {
      throw new IllegalArgumentException(
          "no config access of %d bytes at offset %#x: not aligned, or not inside %d bytes"
              .formatted(width, offset, size));
    }
  }
}
