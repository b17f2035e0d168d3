package org.gatun.vfiouser.server;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.gatun.nativeaccess.Errno;
import org.gatun.vfiouser.wire.Refusal;

/**
 * A region of a device that a client reads and writes by messages. An access of 1, 2, 4 or 8 bytes
 * that is aligned is one access of the device, if it takes that width; others are made of the
 * widest that fit, from low addresses up.
 */
abstract class ExportedRegion {
  private static final ValueLayout.OfShort U16 = JAVA_SHORT_UNALIGNED.withOrder(LITTLE_ENDIAN);
  private static final ValueLayout.OfInt U32 = JAVA_INT_UNALIGNED.withOrder(LITTLE_ENDIAN);
  private static final ValueLayout.OfLong U64 = JAVA_LONG_UNALIGNED.withOrder(LITTLE_ENDIAN);

  private final long size;

  ExportedRegion(long size) {
    this.size = size;
  }

  /** In bytes. */
  final long size() {
    return size;
  }

  /** The widest access that may begin there, in bytes: 1, 2, 4 or 8. */
  abstract int widest(long offset);

  /** One access, aligned and inside. */
  abstract long readOnce(long offset, int width);

  /** One access, aligned and inside. */
  abstract void writeOnce(long offset, int width, long value);

  /**
   * Reads to a message.
   *
   * @throws Refusal if it is not inside
   */
  final void read(long offset, MemorySegment target) {
    long count = target.byteSize();
    check(offset, count);
    for (long done = 0; done < count; ) {
      int width = width(offset + done, count - done);
      long value = readOnce(offset + done, width);
      switch (width) {
        case 1 -> target.set(JAVA_BYTE, done, (byte) value);
        case 2 -> target.set(U16, done, (short) value);
        case 4 -> target.set(U32, done, (int) value);
        default -> target.set(U64, done, value);
      }
      done += width;
    }
  }

  /**
   * Writes from a message.
   *
   * @throws Refusal if it is not inside
   */
  final void write(long offset, MemorySegment source) {
    long count = source.byteSize();
    check(offset, count);
    for (long done = 0; done < count; ) {
      int width = width(offset + done, count - done);
      long value =
          switch (width) {
            case 1 -> source.get(JAVA_BYTE, done);
            case 2 -> source.get(U16, done);
            case 4 -> source.get(U32, done);
            default -> source.get(U64, done);
          };
      writeOnce(offset + done, width, value);
      done += width;
    }
  }

  private int width(long offset, long left) {
    long aligned = offset == 0 ? Long.BYTES : Long.lowestOneBit(offset);
    return (int) Math.min(Math.min(aligned, Long.highestOneBit(left)), widest(offset));
  }

  private void check(long offset, long count) {
    if (offset < 0 || count > size || offset > size - count) {
      throw new Refusal(
          Errno.EINVAL, "0x%x bytes at 0x%x are not inside 0x%x".formatted(count, offset, size));
    }
  }
}
