package org.gatun.simulated;

/**
 * A register of a device, as data: what its bits are after a reset, and what a driver can do to
 * each. A bit that no mask has is read-only to the driver; the device itself sets it. A register
 * with no such bits at all whose writes the device listens for is a trigger, such as a doorbell.
 *
 * <pre>{@code
 * static final Register STATUS = Register.at("STATUS", 0x08, 4).writeOneToClear(DONE | FAILED);
 * }</pre>
 *
 * @param name that of its specification; for messages and traces
 * @param offset in bytes from the start of its BAR, a multiple of the width
 * @param width 1, 2, 4 or 8 bytes
 * @param reset its value after power-up and after a reset
 * @param readWrite bits that keep what is written (RW)
 * @param writeOneToClear bits that a written 1 clears, and a written 0 leaves (W1C)
 * @param readToClear bits that a read clears, after it has got them (RC)
 */
public record Register(
    String name,
    long offset,
    int width,
    long reset,
    long readWrite,
    long writeOneToClear,
    long readToClear) {
  /**
   * @throws IllegalArgumentException if a part breaks its rule: the message names the register and
   *     the part
   */
  public Register {
    if (Integer.bitCount(width) != 1 || width > Long.BYTES) {
      throw new IllegalArgumentException(
          "register %s: its width is 1, 2, 4 or 8 bytes, not %d".formatted(name, width));
    }
    if (offset < 0 || offset % width != 0) {
      throw new IllegalArgumentException(
          "register %s: its offset is a multiple of its width, which 0x%x is not of %d"
              .formatted(name, offset, width));
    }
    checkInside(name, width, "reset value", reset);
    checkInside(name, width, "mask of RW bits", readWrite);
    checkInside(name, width, "mask of W1C bits", writeOneToClear);
    checkInside(name, width, "mask of RC bits", readToClear);
    long twice = readWrite & writeOneToClear;
    if (twice != 0) {
      throw new IllegalArgumentException(
          "register %s: bits 0x%x are RW and W1C".formatted(name, twice));
    }
  }

  private static void checkInside(String name, int width, String what, long bits) {
    if ((bits & ~ones(width)) != 0) {
      throw new IllegalArgumentException(
          "register %s: its %s, 0x%x, is wider than %d bytes".formatted(name, what, bits, width));
    }
  }

  /** One that reads as zeros, and keeps nothing that is written. */
  public static Register at(String name, long offset, int width) {
    return new Register(name, offset, width, 0, 0, 0, 0);
  }

  /** The same with another value after a reset. */
  public Register reset(long value) {
    return new Register(name, offset, width, value, readWrite, writeOneToClear, readToClear);
  }

  /** The same, all of it RW. */
  public Register allReadWrite() {
    return readWrite(ones(width));
  }

  /** The same with these bits RW. */
  public Register readWrite(long bits) {
    return new Register(name, offset, width, reset, bits, writeOneToClear, readToClear);
  }

  /** The same with these bits W1C. */
  public Register writeOneToClear(long bits) {
    return new Register(name, offset, width, reset, readWrite, bits, readToClear);
  }

  /** The same with these bits RC. */
  public Register readToClear(long bits) {
    return new Register(name, offset, width, reset, readWrite, writeOneToClear, bits);
  }

  /** The offset of what is behind it. */
  long end() {
    return offset + width;
  }

  /** All bits of so many bytes. */
  static long ones(int width) {
    return width == Long.BYTES ? -1 : (1L << (8 * width)) - 1;
  }
}
