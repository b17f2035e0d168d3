package org.gatun.driver.nvme;

import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaSpace;
import org.gatun.specs.nvme.Prp;

/**
 * A buffer with its PRP list, which transfers of any part of it point into (Base 4.1.1): none has
 * to write a list of its own. Worth it for buffers that are used again and again, with transfers of
 * more than two pages.
 *
 * <p>Of any thread, and for any number of transfers at a time. To be closed when no command uses it
 * any more, and before the buffer, which it does not own.
 */
public final class PreparedBuffer implements AutoCloseable {
  private static final int PAGE_SIZE = PrpLists.PAGE_SIZE;
  private static final int ENTRIES = PAGE_SIZE / Prp.ENTRY_SIZE;

  /** Of each page of the list; its last entry points to the next page. */
  private static final int DATA_ENTRIES = ENTRIES - 1;

  private final DmaBuffer buffer;
  private final DmaBuffer list;
  private final long firstPage;

  PreparedBuffer(DmaSpace dma, DmaBuffer buffer) {
    this.buffer = buffer;
    this.firstPage = buffer.busAddress() & -PAGE_SIZE;
    long pages = (buffer.busAddress() - firstPage + buffer.size() + PAGE_SIZE - 1) / PAGE_SIZE;
    long lists = (pages + DATA_ENTRIES - 1) / DATA_ENTRIES;
    this.list = dma.allocate(lists * PAGE_SIZE, PAGE_SIZE);
    for (long page = 0; page < pages; page++) {
      list.putLong(offset(page), firstPage + page * PAGE_SIZE);
    }
    for (long next = 1; next < lists; next++) {
      list.putLong(next * PAGE_SIZE - Prp.ENTRY_SIZE, list.busAddress() + next * PAGE_SIZE);
    }
  }

  /** The buffer. */
  public DmaBuffer buffer() {
    return buffer;
  }

  /** Frees the list. Idempotent. */
  @Override
  public void close() {
    list.close();
  }

  /**
   * Gives the PRP2 of a transfer whose PRP1 is its address, as {@link PrpLists#secondEntry} does.
   *
   * @param own for a transfer that ends where this list has a pointer to its next page: a
   *     controller would take that for memory
   * @param address inside of the buffer
   */
  long secondEntry(PrpLists own, int slot, long address, long length) {
    long page = (address - firstPage) / PAGE_SIZE;
    long further = (address - firstPage + length - 1) / PAGE_SIZE - page;
    if (further == 0) {
      return 0;
    }
    if (further == 1) {
      return firstPage + (page + 1) * PAGE_SIZE;
    }
    long index = (page + 1) % DATA_ENTRIES;
    if (index + further > DATA_ENTRIES && (index + further) % DATA_ENTRIES == 1) {
      return own.secondEntry(slot, address, length);
    }
    return list.busAddress() + offset(page + 1);
  }

  private static long offset(long page) {
    return page / DATA_ENTRIES * PAGE_SIZE + page % DATA_ENTRIES * Prp.ENTRY_SIZE;
  }
}
