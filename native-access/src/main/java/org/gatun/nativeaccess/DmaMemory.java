package org.gatun.nativeaccess;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * Memory in whole pages whose address can be given to the kernel, for a device to reach: zeroed,
 * and there, so that no access faults for lack of memory. Huge pages, if they are wanted and free,
 * spare the IOMMU's translations: the kernel must have been given some ({@code vm.nr_hugepages});
 * normal pages take their place.
 *
 * <p>Unmap it from the device before closing it: the kernel keeps pinned pages, so the device would
 * go on writing to memory that nobody sees any more.
 */
public final class DmaMemory implements AutoCloseable {
  /** Which pages to take. */
  public enum Pages {
    NORMAL,
    /**
     * Huge pages if as many are free as the length fills, rounded up; normal ones otherwise, and
     * for less than one huge page.
     */
    HUGE_IF_FREE
  }

  private static final long HUGE_PAGE_SIZE = readHugePageSize();

  private final Mapping mapping;
  private final long pageSize;

  private DmaMemory(Mapping mapping, long pageSize) {
    this.mapping = mapping;
    this.pageSize = pageSize;
  }

  /**
   * Allocates memory that only this process has.
   *
   * @param length in bytes, positive; rounded up to whole pages
   * @throws LinuxException if there is not enough memory
   */
  public static DmaMemory allocate(long length, Pages pages) {
    if (length <= 0) {
      throw new IllegalArgumentException("DMA memory of " + length + " bytes: must be positive");
    }
    if (pages == Pages.HUGE_IF_FREE && HUGE_PAGE_SIZE > 0 && length >= HUGE_PAGE_SIZE) {
      try {
        return populated(length, HUGE_PAGE_SIZE, Abi.MAP_HUGETLB);
      } catch (LinuxException huge) {
        return normal(length, huge);
      }
    }
    return populated(length, Mapping.pageSize(), 0);
  }

  /** The default size of huge pages, in bytes; 0 if the kernel has none. */
  public static long hugePageSize() {
    return HUGE_PAGE_SIZE;
  }

  /** All of the memory: whole pages, so maybe more than was asked for. */
  public MemorySegment segment() {
    return mapping.segment();
  }

  /** The size of the pages that were taken, in bytes: the system's, or that of huge pages. */
  public long pageSize() {
    return pageSize;
  }

  /**
   * Locks all pages into memory, for a device that reaches them without the kernel pinning them.
   *
   * @throws LinuxException if the limit on locked memory does not allow it
   */
  public void lock() {
    mapping.lock();
  }

  /** Unmaps the memory. Does nothing the second time. */
  @Override
  public void close() {
    mapping.close();
  }

  @Override
  public String toString() {
    return mapping.toString();
  }

  private static DmaMemory normal(long length, LinuxException huge) {
    try {
      return populated(length, Mapping.pageSize(), 0);
    } catch (LinuxException e) {
      e.addSuppressed(huge);
      throw e;
    }
  }

  private static DmaMemory populated(long length, long pageSize, int flags) {
    Mapping mapping = Mapping.anonymous(roundUp(length, pageSize), flags);
    try {
      mapping.populate();
      return new DmaMemory(mapping, pageSize);
    } catch (RuntimeException e) {
      mapping.close();
      throw e;
    }
  }

  private static long roundUp(long length, long pageSize) {
    return Math.multiplyExact(Math.ceilDiv(length, pageSize), pageSize);
  }

  /** From {@code /proc/meminfo}'s line {@code Hugepagesize: 2048 kB}: no system call says it. */
  private static long readHugePageSize() {
    try (Stream<String> lines = Files.lines(Path.of("/proc/meminfo"))) {
      return lines
          .filter(line -> line.startsWith("Hugepagesize:"))
          .map(line -> line.replaceAll("\\D", ""))
          .mapToLong(kibibytes -> Long.parseLong(kibibytes) * 1024)
          .findFirst()
          .orElse(0);
    } catch (IOException e) {
      return 0; // without /proc, normal pages will do
    }
  }
}
