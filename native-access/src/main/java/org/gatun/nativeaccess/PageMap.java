package org.gatun.nativeaccess;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.OptionalLong;

/**
 * Where memory of this process is, physically, from {@code /proc/self/pagemap} (the kernel's
 * admin-guide/mm/pagemap). Only huge pages stay where they are: others the kernel moves, locked or
 * not.
 */
public final class PageMap {
  private static final Path FILE = Path.of("/proc/self/pagemap");

  /** Each page has eight bytes: the frame's number, and whether the page is there. */
  private static final long FRAME_MASK = (1L << 55) - 1;

  private static final long PRESENT = 1L << 63;

  private PageMap() {}

  /**
   * The physical address of the first byte of a segment.
   *
   * @param memory native
   * @return empty if the page is not in memory, or if the kernel hides where it is: it tells only
   *     who has CAP_SYS_ADMIN
   */
  public static OptionalLong physicalAddress(MemorySegment memory) {
    long page = Mapping.pageSize();
    long address = memory.address();
    try (Fd pagemap = Fd.open(FILE, Access.READ)) {
      long entry = pagemap.readAt(Long.divideUnsigned(address, page) * Long.BYTES, Long.BYTES);
      long frame = entry & FRAME_MASK;
      return (entry & PRESENT) != 0 && frame != 0
          ? OptionalLong.of(frame * page + Long.remainderUnsigned(address, page))
          : OptionalLong.empty();
    }
  }
}
