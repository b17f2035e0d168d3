package org.gatun.specs.nvme;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Field access for views: NVMe structures are little-endian, and byte arrays are unaligned. */
final class LittleEndian {
  private static final ValueLayout.OfShort U16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt U32 =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong U64 =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private LittleEndian() {}

  static MemorySegment slice(String structure, MemorySegment data, long size) {
    if (data.byteSize() < size) {
      throw new IllegalArgumentException(
          structure + ": needs " + size + " bytes, and the memory has " + data.byteSize());
    }
    return data.asSlice(0, size);
  }

  static MemorySegment copy(String structure, MemorySegment data, int size) {
    return MemorySegment.ofArray(slice(structure, data, size).toArray(ValueLayout.JAVA_BYTE));
  }

  static MemorySegment zeroes(int size) {
    return MemorySegment.ofArray(new byte[size]);
  }

  static int getU8(MemorySegment data, long offset) {
    return Byte.toUnsignedInt(data.get(ValueLayout.JAVA_BYTE, offset));
  }

  static int getU16(MemorySegment data, long offset) {
    return Short.toUnsignedInt(data.get(U16, offset));
  }

  static int getI32(MemorySegment data, long offset) {
    return data.get(U32, offset);
  }

  static long getU32(MemorySegment data, long offset) {
    return Integer.toUnsignedLong(data.get(U32, offset));
  }

  static long getI64(MemorySegment data, long offset) {
    return data.get(U64, offset);
  }

  static BigInteger getU128(MemorySegment data, long offset) {
    byte[] bigEndian = new byte[16];
    for (int i = 0; i < 16; i++) {
      bigEndian[15 - i] = data.get(ValueLayout.JAVA_BYTE, offset + i);
    }
    return new BigInteger(1, bigEndian);
  }

  static byte[] getBytes(MemorySegment data, long offset, int length) {
    return data.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
  }

  /**
   * Text that a device wrote: up to the first NUL, without the padding, and what is not printable
   * ASCII replaced, so that it can go to a terminal or a log as it is.
   */
  static String getAscii(MemorySegment data, long offset, int length) {
    StringBuilder text = new StringBuilder(length);
    for (int i = 0; i < length; i++) {
      byte b = data.get(ValueLayout.JAVA_BYTE, offset + i);
      if (b == 0) {
        break;
      }
      text.append(b >= ' ' && b < 0x7f ? (char) b : '?');
    }
    return text.toString().strip();
  }

  static void putU8(MemorySegment data, long offset, int value) {
    data.set(ValueLayout.JAVA_BYTE, offset, (byte) check(value, 8));
  }

  static void putU16(MemorySegment data, long offset, int value) {
    data.set(U16, offset, (short) check(value, 16));
  }

  static void putI32(MemorySegment data, long offset, int value) {
    data.set(U32, offset, value);
  }

  static void putU32(MemorySegment data, long offset, long value) {
    data.set(U32, offset, (int) check(value, 32));
  }

  static void putI64(MemorySegment data, long offset, long value) {
    data.set(U64, offset, value);
  }

  static void putU128(MemorySegment data, long offset, BigInteger value) {
    if (value.signum() < 0 || value.bitLength() > 128) {
      throw new IllegalArgumentException(value + " does not fit in 128 bits, unsigned");
    }
    putI64(data, offset, value.longValue());
    putI64(data, offset + 8, value.shiftRight(64).longValue());
  }

  static void putBytes(MemorySegment data, long offset, byte[] value, int length) {
    if (value.length != length) {
      throw new IllegalArgumentException(
          "needs " + length + " bytes, and " + value.length + " were given");
    }
    MemorySegment.copy(value, 0, data, ValueLayout.JAVA_BYTE, offset, length);
  }

  static void putAscii(MemorySegment data, long offset, int length, char padding, String text) {
    byte[] field = new byte[length];
    Arrays.fill(field, (byte) padding);
    if (text.length() > length || !text.chars().allMatch(c -> c >= ' ' && c < 0x7f)) {
      throw new IllegalArgumentException(
          "\"" + text + "\" is not printable ASCII of at most " + length + " characters");
    }
    byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
    System.arraycopy(bytes, 0, field, 0, bytes.length);
    putBytes(data, offset, field, length);
  }

  private static long check(long value, int bits) {
    if (value < 0 || value >>> bits != 0) {
      throw new IllegalArgumentException(value + " does not fit in " + bits + " bits, unsigned");
    }
    return value;
  }
}
