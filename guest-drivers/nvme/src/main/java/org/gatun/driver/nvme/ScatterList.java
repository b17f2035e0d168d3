package org.gatun.driver.nvme;

import java.util.Arrays;
import java.util.Objects;
import org.gatun.pci.DmaBuffer;
import org.gatun.specs.nvme.Prp;
import org.jspecify.annotations.Nullable;

/**
 * The pieces of memory that one transfer goes to, or comes from, in their order: of one buffer or
 * of several. It can be cleared and filled again as soon as the command is submitted; the buffers
 * stay open until it is complete. Filling allocates nothing. One thread at a time.
 */
public final class ScatterList {
  private static final int PAGE_SIZE = PrpLists.PAGE_SIZE;

  private final @Nullable DmaBuffer[] buffers;
  private final long[] addresses;
  private final long[] lengths;
  private int count;
  private long total;

  /**
   * @param capacity the most pieces, from 1
   */
  public ScatterList(int capacity) {
    if (capacity < 1) {
      throw new IllegalArgumentException("a list has room for at least 1 piece, not " + capacity);
    }
    this.buffers = new @Nullable DmaBuffer[capacity];
    this.addresses = new long[capacity];
    this.lengths = new long[capacity];
  }

  /**
   * Adds a piece.
   *
   * @param offset in the buffer, in bytes: a multiple of 4
   * @param length in bytes: a multiple of 4, from 4
   * @return this
   * @throws IndexOutOfBoundsException if it is not inside the buffer
   * @throws IllegalArgumentException if offset or length breaks its rule
   * @throws IllegalStateException if the list is full
   */
  public ScatterList add(DmaBuffer buffer, long offset, long length) {
    Objects.checkFromIndexSize(offset, length, buffer.size());
    if (((offset | length) & (Prp.OFFSET_ALIGNMENT - 1)) != 0 || length == 0) {
      throw new IllegalArgumentException(
          "offset and length of a piece are multiples of 4, and it has some, not %d and %d"
              .formatted(offset, length));
    }
    if (count == addresses.length) {
      throw new IllegalStateException("the list has room for " + count + " pieces");
    }
    buffers[count] = buffer;
    addresses[count] = buffer.busAddress() + offset;
    lengths[count] = length;
    count++;
    total += length;
    return this;
  }

  /** Removes all pieces. */
  public void clear() {
    Arrays.fill(buffers, 0, count, null);
    count = 0;
    total = 0;
  }

  /** How many pieces there are. */
  public int count() {
    return count;
  }

  /** The length of all pieces in bytes. */
  public long length() {
    return total;
  }

  /** Throws DeviceGoneException if a buffer was closed since it was added. */
  void checkOpen() {
    for (int i = 0; i < count; i++) {
      Objects.requireNonNull(buffers[i]).busAddress();
    }
  }

  /** Of a piece: its bus address. */
  long address(int index) {
    return addresses[index];
  }

  /** Of a piece, in bytes. */
  long length(int index) {
    return lengths[index];
  }

  /**
   * Whether PRP entries can say it (Base 4.1.1): from the first page on, each begins at a page, and
   * up to the last, each ends with one.
   */
  boolean isOfWholePages() {
    for (int i = 0; i < count; i++) {
      if (i > 0 && addresses[i] % PAGE_SIZE != 0) {
        return false;
      }
      if (i < count - 1 && (addresses[i] + lengths[i]) % PAGE_SIZE != 0) {
        return false;
      }
    }
    return true;
  }

  /** How many pages are touched, if it is of whole ones. */
  long pages() {
    return count == 0 ? 0 : (addresses[0] % PAGE_SIZE + total + PAGE_SIZE - 1) / PAGE_SIZE;
  }
}
