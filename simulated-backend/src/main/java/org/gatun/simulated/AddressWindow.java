package org.gatun.simulated;

import java.util.Map;
import java.util.TreeMap;

/**
 * A range of addresses of which firmware gives out parts, to BARs and to the bridges that pass them
 * on. Guarded by its bus.
 */
final class AddressWindow {
  /** What is given where there is no room, as firmware leaves such a BAR. */
  static final long NONE = 0;

  private final long first;
  private final long size;
  private final long granule;
  private final int share;

  /** What is given out: sizes by first address. */
  private final TreeMap<Long, Long> taken = new TreeMap<>();

  /**
   * @param size in bytes, 0 for a window that is closed
   * @param granule of what a bridge can pass on, a power of two
   * @param share what a bridge gets of it: one part of so many, at least the granule
   */
  AddressWindow(long first, long size, long granule, int share) {
    this.first = first;
    this.size = size;
    this.granule = granule;
    this.share = share;
  }

  /**
   * The window of a bridge to what is behind it, inside of this one; closed if there is no room.
   */
  AddressWindow behindBridge() {
    long part = Math.max(granule, Long.highestOneBit(size / share));
    long at = take(part);
    return new AddressWindow(at, at == NONE ? 0 : part, granule, share);
  }

  /** Takes so many bytes, a power of two, at a multiple of that; or {@link #NONE}. */
  long take(long bytes) {
    long at = alignUp(first, bytes);
    for (Map.Entry<Long, Long> other : taken.entrySet()) {
      if (at + bytes <= other.getKey()) {
        break;
      }
      at = Math.max(at, alignUp(other.getKey() + other.getValue(), bytes));
    }
    if (at + bytes > first + size) {
      return NONE;
    }
    taken.put(at, bytes);
    return at;
  }

  void giveBack(long address) {
    taken.remove(address);
  }

  boolean isOpen() {
    return size > 0;
  }

  long first() {
    return first;
  }

  long last() {
    return first + size - 1;
  }

  private static long alignUp(long address, long alignment) {
    return (address + alignment - 1) & -alignment;
  }
}
