package org.gatun.simulated;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Which message raises which vector, as interrupt remapping has it (Intel Virtualization Technology
 * for Directed I/O 4.0, 5.1): a write of 32 bits to a range of addresses names an entry of a table,
 * and raises what the entry says, if it comes from the function that the entry is for.
 */
final class InterruptRemapping {
  private static final long FIRST = 0xfee0_0000L;
  private static final long LAST = 0xfeef_ffffL;

  /** The remappable format (5.1.2.2); else a message says itself what it raises. */
  private static final int FORMAT = 1 << 4;

  /** The data says which of the entries from the handle on. */
  private static final int SUBHANDLE_VALID = 1 << 3;

  private static final int HANDLE_SHIFT = 5;
  private static final int HANDLE_LOW = 0x7fff;
  private static final int HANDLE_HIGH_SHIFT = 2;
  private static final int MOST = 1 << 16;

  /**
   * @param owner whose interrupt it is: the source that is validated (5.1.5.1, SVT)
   */
  private record Entry(SimulatedInterrupts owner, int vector) {}

  /** Changes copy it, so that a message takes no lock. */
  private volatile @Nullable Entry[] table = new Entry[0];

  /** Whether a write there is an interrupt request. */
  static boolean covers(long address) {
    return address >= FIRST && address <= LAST;
  }

  /** What a function writes to, to raise what the entry with that handle says; the data is 0. */
  static long address(int handle) {
    return FIRST
        | (handle & HANDLE_LOW) << HANDLE_SHIFT
        | (handle >>> 15) << HANDLE_HIGH_SHIFT
        | FORMAT
        | SUBHANDLE_VALID;
  }

  /**
   * Makes entries for vectors from 0 on.
   *
   * @param count a power of two
   * @return the handle of the first, a multiple of the count
   * @throws IllegalStateException if there are too many
   */
  synchronized int allocate(SimulatedInterrupts owner, int count) {
    int first = 0;
    while (!isFree(first, count)) {
      first += count;
    }
    if (first + count > MOST) {
      throw new IllegalStateException("the IOMMU has no room for " + count + " interrupts");
    }
    @Nullable Entry[] more = Arrays.copyOf(table, Math.max(table.length, first + count));
    for (int i = 0; i < count; i++) {
      more[first + i] = new Entry(owner, i);
    }
    table = more;
    return first;
  }

  /** Takes out all entries of a function. */
  synchronized void free(SimulatedInterrupts owner) {
    @Nullable Entry[] fewer = table.clone();
    for (int i = 0; i < fewer.length; i++) {
      Entry entry = fewer[i];
      if (entry != null && entry.owner == owner) {
        fewer[i] = null;
      }
    }
    table = fewer;
  }

  /** The vector that a message of a function raises; -1 if it is none of its own. */
  int vectorOf(SimulatedInterrupts source, long address, int data) {
    if (!covers(address) || (address & FORMAT) == 0) {
      return -1;
    }
    int low = (int) address;
    int handle = (low >>> HANDLE_SHIFT & HANDLE_LOW) | (low >>> HANDLE_HIGH_SHIFT & 1) << 15;
    int index = handle + ((low & SUBHANDLE_VALID) != 0 ? data & 0xffff : 0);
    @Nullable Entry[] entries = table;
    Entry entry = index < entries.length ? entries[index] : null;
    return entry != null && entry.owner == source ? entry.vector : -1;
  }

  private boolean isFree(int first, int count) {
    for (int i = first; i < Math.min(first + count, table.length); i++) {
      if (table[i] != null) {
        return false;
      }
    }
    return true;
  }
}
