package org.gatun.specs.nvme;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * A namespace list: up to 1024 ascending NSIDs, the rest zero (Base, Namespace List). Active
 * Namespace ID list (CNS 02h) and Changed Namespace List (LID 04h) are such lists.
 */
public final class NamespaceList {
  /** Size in bytes. */
  public static final int SIZE = 4096;

  /** How many NSIDs have room. */
  public static final int MAX_ENTRIES = 1024;

  private final MemorySegment data;

  /**
   * A view of the first {@link #SIZE} bytes: reads and writes go there.
   *
   * @throws IllegalArgumentException if the memory is shorter
   */
  public NamespaceList(MemorySegment data) {
    this.data = LittleEndian.slice("Namespace List", data, SIZE);
  }

  /**
   * Returns a view of a heap copy, which a device cannot change any more.
   *
   * @throws IllegalArgumentException if the memory is shorter than {@link #SIZE}
   */
  public static NamespaceList copyOf(MemorySegment data) {
    return new NamespaceList(LittleEndian.copy("Namespace List", data, SIZE));
  }

  /** Returns a view of new heap memory, all zero: an empty list. */
  public static NamespaceList create() {
    return new NamespaceList(LittleEndian.zeroes(SIZE));
  }

  /** Returns the memory, {@link #SIZE} bytes. */
  public MemorySegment segment() {
    return data;
  }

  /** Returns the number of NSIDs before the first 0: 0 to 1024. */
  public int count() {
    int count = 0;
    while (count < MAX_ENTRIES && namespaceId(count) != 0) {
      count++;
    }
    return count;
  }

  /** Returns the NSID at an index of 0 to 1023, as an unsigned int; 0 is past the end. */
  public int namespaceId(int index) {
    return LittleEndian.getI32(data, 4L * Objects.checkIndex(index, MAX_ENTRIES));
  }

  /** Sets the NSID at an index of 0 to 1023. */
  public void setNamespaceId(int index, int namespaceId) {
    LittleEndian.putI32(data, 4L * Objects.checkIndex(index, MAX_ENTRIES), namespaceId);
  }
}
