package org.gatun.vfio.common;

import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.OptionalLong;
import java.util.TreeMap;
import org.gatun.pci.BusRange;

/**
 * Which bus addresses are free. First fit from low addresses up, since old devices drive few
 * address bits; from 16 MiB up while there is room, to stay clear of what devices take for a null
 * pointer and of ISA's addresses; never address 0. Addresses are unsigned. Not for several threads
 * at a time.
 */
public final class BusAddressAllocator {
  private static final long PREFERRED_START = 16L << 20;

  private final long pageSize;

  /** First address to last address of each free range; ranges don't touch. */
  private final NavigableMap<Long, Long> free = new TreeMap<>(Long::compareUnsigned);

  /**
   * @param usable in whole pages, apart from each other
   */
  public BusAddressAllocator(List<BusRange> usable, long pageSize) {
    this.pageSize = pageSize;
    usable.forEach(range -> free.put(range.first(), range.last()));
  }

  /**
   * Takes a range.
   *
   * @param size in bytes, whole pages, positive
   * @param alignment a power of two, at least a page
   * @param limit the highest address that the range may hold
   * @return its first address; empty if there is no such range
   */
  public OptionalLong allocate(long size, long alignment, long limit) {
    OptionalLong found = find(PREFERRED_START, size, alignment, limit);
    if (found.isEmpty()) {
      found = find(pageSize, size, alignment, limit);
    }
    found.ifPresent(address -> take(address, size));
    return found;
  }

  /** Takes that very range, and returns whether it was free. */
  public boolean reserve(long address, long size) {
    Map.Entry<Long, Long> entry = free.floorEntry(address);
    if (entry == null || !new BusRange(entry.getKey(), entry.getValue()).contains(address, size)) {
      return false;
    }
    take(address, size);
    return true;
  }

  /** Gives back a range that was taken. */
  public void release(long address, long size) {
    long first = address;
    long last = address + size - 1;
    Map.Entry<Long, Long> below = free.lowerEntry(first);
    if (below != null && below.getValue() + 1 == first) {
      first = below.getKey();
    }
    Map.Entry<Long, Long> above = free.higherEntry(last);
    if (above != null && last + 1 == above.getKey()) {
      free.remove(above.getKey());
      last = above.getValue();
    }
    free.put(first, last);
  }

  /** What is free now, ascending. */
  public List<BusRange> free() {
    return free.entrySet().stream().map(e -> new BusRange(e.getKey(), e.getValue())).toList();
  }

  private OptionalLong find(long start, long size, long alignment, long limit) {
    for (Map.Entry<Long, Long> entry : free.entrySet()) {
      long lowest = Long.compareUnsigned(entry.getKey(), start) < 0 ? start : entry.getKey();
      long first = (lowest + alignment - 1) & -alignment;
      long last = Long.compareUnsigned(entry.getValue(), limit) > 0 ? limit : entry.getValue();
      boolean wrapped = Long.compareUnsigned(first, lowest) < 0;
      if (!wrapped
          && Long.compareUnsigned(first, last) <= 0
          && Long.compareUnsigned(size - 1, last - first) <= 0) {
        return OptionalLong.of(first);
      }
    }
    return OptionalLong.empty();
  }

  private void take(long address, long size) {
    Map.Entry<Long, Long> entry = free.floorEntry(address);
    long first = entry.getKey();
    long last = entry.getValue();
    free.remove(first);
    if (first != address) {
      free.put(first, address - 1);
    }
    long end = address + size - 1;
    if (end != last) {
      free.put(end + 1, last);
    }
  }
}
