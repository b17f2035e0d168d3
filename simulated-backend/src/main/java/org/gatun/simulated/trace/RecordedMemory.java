package org.gatun.simulated.trace;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.gatun.pci.BusRange;

/**
 * The DMA memory that a recording tells of, as it comes and goes. What no device can have had is
 * refused: whoever replays it counts on addresses as a device has them. One thread.
 */
final class RecordedMemory {
  private static final long PAGE = Recording.LONGEST;

  private final List<BusRange> usable;

  /** What is there now: addresses, and the last ones of the same memory. */
  private final TreeMap<Long, Long> alive = new TreeMap<>(Long::compareUnsigned);

  RecordedMemory(List<BusRange> usable) {
    this.usable = usable;
  }

  /**
   * Follows an access; most have nothing to do with it.
   *
   * @throws IllegalArgumentException if the memory can't have been there
   */
  void follow(Access access) {
    switch (access.kind()) {
      case ALLOCATE, MAP -> add(access, access.address(), access.length());
      case FREE -> alive.remove(access.address());
      default -> {}
    }
  }

  private void add(Access access, long address, long length) {
    check(
        length > 0 && length % PAGE == 0 && address % PAGE == 0,
        access,
        "DMA memory is whole pages of 4096 bytes");
    check(
        usable.stream().anyMatch(range -> range.contains(address, length)),
        access,
        "no usable bus addresses");
    long last = address + length - 1;
    Map.Entry<Long, Long> below = alive.floorEntry(last);
    check(
        below == null || Long.compareUnsigned(below.getValue(), address) < 0,
        access,
        "other memory is there");
    alive.put(address, last);
  }

  private static void check(boolean holds, Access access, String problem) {
    if (!holds) {
      throw new IllegalArgumentException(access + ": " + problem);
    }
  }
}
