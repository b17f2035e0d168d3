package org.gatun.hostile;

import java.io.IOException;
import java.io.RandomAccessFile;

/**
 * What the kernel tells of a page of this process ({@code
 * Documentation/admin-guide/mm/pagemap.rst}).
 *
 * @param isPresent whether it is in the machine's memory
 * @param frame where it is there; 0 for who is not to know (without CAP_SYS_ADMIN)
 */
public record Page(boolean isPresent, long frame) {
  /** In bytes. */
  public static final int SIZE = 4096;

  private static final long PRESENT = 1L << 63;
  private static final long FRAME = (1L << 55) - 1;

  /** The one that an address is in. */
  public static Page at(long address) throws IOException {
    try (RandomAccessFile pages = new RandomAccessFile("/proc/self/pagemap", "r")) {
      pages.seek(address / SIZE * Long.BYTES);
      long entry = Long.reverseBytes(pages.readLong());
      return new Page((entry & PRESENT) != 0, entry & FRAME);
    }
  }
}
