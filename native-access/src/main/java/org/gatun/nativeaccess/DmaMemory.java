package org.gatun.nativeaccess;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

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
  private final @Nullable Memfd memfd;
  private final long pageSize;

  private DmaMemory(Mapping mapping, @Nullable Memfd memfd, long pageSize) {
    this.mapping = mapping;
    this.memfd = memfd;
    this.pageSize = pageSize;
  }

  /**
   * Allocates memory that only this process has.
   *
   * @param length in bytes, positive; rounded up to whole pages
   * @throws LinuxException if there is not enough memory
   */
  public static DmaMemory allocate(long length, Pages pages) {
    return allocate(length, pages, DmaMemory::anonymous);
  }

  /**
   * Allocates memory that other processes can map, too, through {@link #fd}. Its size is sealed.
   *
   * @param name for messages and {@code /proc/PID/maps}
   * @param length in bytes, positive; rounded up to whole pages
   * @throws LinuxException if there is not enough memory
   */
  public static DmaMemory allocateShared(String name, long length, Pages pages) {
    return allocate(length, pages, (rounded, huge) -> shared(name, rounded, huge));
  }

  /** The default size of huge pages, in bytes; 0 if the kernel has none. */
  public static long hugePageSize() {
    return HUGE_PAGE_SIZE;
  }

  /** All of the memory: whole pages, so maybe more than was asked for. */
  public MemorySegment segment() {
    return mapping.segment();
  }

  /**
   * The arena that the memory lives in: who is given it may close it. Shared memory needs {@link
   * #close} as well.
   */
  public Arena arena() {
    return mapping.arena();
  }

  /**
   * The size of the pages that were taken, in bytes: {@link Mapping#pageSize} or {@link
   * #hugePageSize}.
   */
  public long pageSize() {
    return pageSize;
  }

  /** The descriptor of shared memory, to pass on; it stays this object's. */
  public Optional<Fd> fd() {
    return Optional.ofNullable(memfd).map(Memfd::fd);
  }

  /**
   * Locks all pages into memory, for a device that reaches them without the kernel pinning them.
   *
   * @throws LinuxException if the limit on locked memory does not allow it
   */
  public void lock() {
    mapping.lock();
  }

  /** Unmaps the memory, and closes its descriptor if it is shared. Does nothing the second time. */
  @Override
  public void close() {
    mapping.close();
    if (memfd != null) {
      memfd.close();
    }
  }

  @Override
  public String toString() {
    return mapping.toString();
  }

  @FunctionalInterface
  private interface Allocator {
    DmaMemory allocate(long length, boolean huge);
  }

  private static DmaMemory allocate(long length, Pages pages, Allocator allocator) {
    if (length <= 0) {
      throw new IllegalArgumentException("DMA memory of " + length + " bytes: must be positive");
    }
    if (pages == Pages.HUGE_IF_FREE && HUGE_PAGE_SIZE > 0 && length >= HUGE_PAGE_SIZE) {
      try {
        return allocator.allocate(roundUp(length, HUGE_PAGE_SIZE), true);
      } catch (LinuxException e) {
        return normal(length, allocator, e);
      }
    }
    return allocator.allocate(roundUp(length, Mapping.pageSize()), false);
  }

  private static DmaMemory normal(long length, Allocator allocator, LinuxException huge) {
    try {
      return allocator.allocate(roundUp(length, Mapping.pageSize()), false);
    } catch (LinuxException e) {
      e.addSuppressed(huge);
      throw e;
    }
  }

  private static DmaMemory anonymous(long length, boolean huge) {
    Mapping mapping = Mapping.anonymous(length, huge ? Abi.MAP_HUGETLB : 0);
    return populated(new DmaMemory(mapping, null, pageSize(huge)));
  }

  private static DmaMemory shared(String name, long length, boolean huge) {
    Memfd memfd = huge ? Memfd.createHuge(name) : Memfd.create(name);
    DmaMemory memory;
    try {
      memfd.resize(length);
      memfd.sealSize();
      memory = new DmaMemory(memfd.map(length), memfd, pageSize(huge));
    } catch (RuntimeException e) {
      memfd.close();
      throw e;
    }
    return populated(memory);
  }

  private static DmaMemory populated(DmaMemory memory) {
    try {
      memory.mapping.populate();
      return memory;
    } catch (RuntimeException e) {
      memory.close();
      throw e;
    }
  }

  private static long pageSize(boolean huge) {
    return huge ? HUGE_PAGE_SIZE : Mapping.pageSize();
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
