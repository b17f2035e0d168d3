package org.gatun.specs.nvme;

/**
 * Physical Region Pages: how a command names its data (Base 4.1.1; 1.4 section 4.3).
 *
 * <p>PRP1 may have an offset in its page, aligned to a dword. Data that end in the second page have
 * its address in PRP2; longer data have a PRP list there, whose entries all have offset 0. If a
 * list does not end in its page, that page's last entry points to the next list.
 */
public final class Prp {
  /** Size of a PRP entry in bytes. */
  public static final int ENTRY_SIZE = 8;

  /** The offset of PRP1 is a multiple of this. */
  public static final int OFFSET_ALIGNMENT = 4;

  /** The offset of a PRP list in its page is a multiple of this. */
  public static final int LIST_ALIGNMENT = 8;

  private Prp() {}

  /** Returns the offset of an entry in its page; the page size is a power of two. */
  public static int offset(long entry, int pageSize) {
    return (int) (entry & (pageSize - 1L));
  }

  /** Returns how many memory pages data touch that start at PRP1 and have a length from 1. */
  public static long pages(long prp1, long length, int pageSize) {
    return (offset(prp1, pageSize) + length + pageSize - 1) / pageSize;
  }

  /** Returns how many entries fit from a list's address to the end of its page. */
  public static int entriesInPage(long list, int pageSize) {
    return (pageSize - offset(list, pageSize)) / ENTRY_SIZE;
  }
}
