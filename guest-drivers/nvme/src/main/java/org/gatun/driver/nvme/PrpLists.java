package org.gatun.driver.nvme;

import org.gatun.pci.DmaBuffer;
import org.gatun.specs.nvme.Prp;

/**
 * Memory for the PRP lists of a queue pair's commands, one for each slot (Base 4.1.1). A buffer is
 * contiguous at bus addresses, so its pages follow from its address and length.
 */
final class PrpLists {
  /** What the driver sets CC.MPS to: the page of every controller that runs under Linux. */
  static final int PAGE_SIZE = 4096;

  private static final int ENTRIES = PAGE_SIZE / Prp.ENTRY_SIZE;

  private final DmaBuffer memory;
  private final long start;
  private final long bytesPerSlot;

  /**
   * @param memory at a page-aligned bus address
   * @param start of the lists in it, a multiple of the page size
   * @param maxTransferBytes the longest transfer
   */
  PrpLists(DmaBuffer memory, long start, int maxTransferBytes) {
    this.memory = memory;
    this.start = start;
    this.bytesPerSlot = bytesPerSlot(maxTransferBytes);
  }

  /** The memory that a slot needs for transfers of up to that length: whole pages. */
  static long bytesPerSlot(int maxTransferBytes) {
    // PRP1 names the first page, which may be touched only in part: then one more is touched.
    long entries = (maxTransferBytes + PAGE_SIZE - 1L) / PAGE_SIZE;
    // The last entry of each page but the last points to the next page.
    long pages = entries <= ENTRIES ? 1 : 1 + (entries - ENTRIES + ENTRIES - 2) / (ENTRIES - 1);
    return pages * PAGE_SIZE;
  }

  /** How many bytes a slot has. */
  long bytesPerSlot() {
    return bytesPerSlot;
  }

  /** Where the memory of a slot starts: for data that go with a command other than a transfer. */
  long offset(int slot) {
    return start + slot * bytesPerSlot;
  }

  /**
   * Gives the PRP2 of a transfer whose PRP1 is its address, and writes the slot's list if it needs
   * one.
   *
   * @param address a multiple of 4
   * @param length 1 to the longest transfer
   */
  long secondEntry(int slot, long address, long length) {
    long inPage = address & (PAGE_SIZE - 1);
    long beyond = inPage + length - PAGE_SIZE;
    if (beyond <= 0) {
      return 0;
    }
    long page = address - inPage + PAGE_SIZE;
    if (beyond <= PAGE_SIZE) {
      return page;
    }
    long at = offset(slot);
    for (long left = (beyond + PAGE_SIZE - 1) / PAGE_SIZE; left > 0; left--) {
      at = add(at, page, left);
      page += PAGE_SIZE;
    }
    return memory.busAddress() + offset(slot);
  }

  /**
   * As {@link #secondEntry(int, long, long)}, of pieces.
   *
   * @param data of whole pages, of 1 byte to the longest transfer
   */
  long secondEntry(int slot, ScatterList data) {
    long left = data.pages() - 1;
    if (left == 0) {
      return 0;
    }
    boolean two = left == 1;
    long at = offset(slot);
    boolean first = true;
    for (int i = 0; i < data.count(); i++) {
      long end = data.address(i) + data.length(i);
      for (long page = data.address(i); page < end; page = (page & -PAGE_SIZE) + PAGE_SIZE) {
        if (first) {
          first = false; // PRP1
        } else if (two) {
          return page;
        } else {
          at = add(at, page, left);
          left--;
        }
      }
    }
    return memory.busAddress() + offset(slot);
  }

  /**
   * Adds a page to a list.
   *
   * @param left how many are to be added, with this one: after the last there is no pointer
   * @return where the next one goes
   */
  private long add(long at, long page, long left) {
    long entry = at;
    if ((entry & (PAGE_SIZE - 1)) == PAGE_SIZE - Prp.ENTRY_SIZE && left > 1) {
      memory.putLong(entry, memory.busAddress() + entry + Prp.ENTRY_SIZE);
      entry += Prp.ENTRY_SIZE;
    }
    memory.putLong(entry, page);
    return entry + Prp.ENTRY_SIZE;
  }
}
