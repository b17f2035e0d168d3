package org.gatun.nativeaccess;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The one owner of a memory mapping: unmaps it once.
 *
 * <p>Any thread may access the segment, and any access after it was closed throws {@link
 * IllegalStateException}. Opening and closing take tens of microseconds and a handshake with all
 * threads: not for the hot path. The descriptor that was mapped can be closed: the mapping stays.
 */
public final class Mapping implements AutoCloseable {
  private final String description;
  private final Arena arena;
  private final MemorySegment segment;

  private Mapping(String description, Arena arena, MemorySegment segment) {
    this.description = description;
    this.arena = arena;
    this.segment = segment;
  }

  /** The size of a page, in bytes. */
  public static long pageSize() {
    return Linux.calls().getpagesize();
  }

  /**
   * Maps part of a file or device, shared: what is written goes to the file, device or other
   * processes.
   *
   * @param offset in bytes, a multiple of the page size
   * @param length in bytes, positive
   * @throws LinuxException if it can't be mapped
   */
  public static Mapping map(Fd fd, long offset, long length, Access access) {
    int number = fd.acquire("mmap");
    try {
      return map(
          describe(fd, offset, length),
          length,
          access.protection(),
          Abi.MAP_SHARED,
          number,
          offset);
    } finally {
      fd.release();
    }
  }

  /**
   * Maps part of a file or device, shared, for as long as an arena lives, which unmaps it.
   *
   * @param offset in bytes, a multiple of the page size
   * @param length in bytes, positive
   * @param lifetime which decides too which threads may access the memory
   * @return the memory, read-only if mapped for reading
   * @throws LinuxException if it can't be mapped
   * @throws IllegalStateException if the arena is closed
   */
  public static MemorySegment map(Fd fd, long offset, long length, Access access, Arena lifetime) {
    int number = fd.acquire("mmap");
    try {
      return map(
          describe(fd, offset, length),
          length,
          access.protection(),
          Abi.MAP_SHARED,
          number,
          offset,
          lifetime);
    } finally {
      fd.release();
    }
  }

  /** Maps memory of no file, readable and writable, zeroed, not shared with other processes. */
  static Mapping anonymous(long length, int flags) {
    return map(
        "anonymous memory, length 0x%x".formatted(length),
        length,
        Access.READ_WRITE.protection(),
        Abi.MAP_PRIVATE | Abi.MAP_ANONYMOUS | flags,
        -1,
        0);
  }

  private static String describe(Fd fd, long offset, long length) {
    return "%s at 0x%x, length 0x%x".formatted(fd, offset, length);
  }

  // The arena is closed by close(), or below.
  @SuppressWarnings("MustBeClosedChecker")
  private static Mapping map(
      String description, long length, int protection, int flags, int fd, long offset) {
    Arena arena = Arena.ofShared();
    boolean mapped = false;
    try {
      MemorySegment segment = map(description, length, protection, flags, fd, offset, arena);
      mapped = true;
      return new Mapping(description, arena, segment);
    } finally {
      if (!mapped) {
        arena.close();
      }
    }
  }

  @SuppressWarnings("restricted") // the kernel just said that this memory is ours
  private static MemorySegment map(
      String description,
      long length,
      int protection,
      int flags,
      int fd,
      long offset,
      Arena arena) {
    if (length <= 0) {
      throw new IllegalArgumentException("mmap " + description + ": length must be positive");
    }
    long address = Linux.calls().mmap(length, protection, flags, fd, offset);
    // An address is never among the last 4095, so a negative one is an error.
    Linux.check(address, "mmap", description);
    boolean owned = false;
    try {
      MemorySegment segment =
          MemorySegment.ofAddress(address)
              .reinterpret(
                  length,
                  arena,
                  memory ->
                      Linux.check(Linux.calls().munmap(address, length), "munmap", description));
      owned = true;
      return (protection & Abi.PROT_WRITE) != 0 ? segment : segment.asReadOnly();
    } finally {
      if (!owned) {
        // The arena was closed, or is another thread's.
        Linux.calls().munmap(address, length);
      }
    }
  }

  /**
   * The memory. Of a mapping for reading it is a read-only segment: a write is an exception, where
   * the kernel would kill the JVM.
   */
  public MemorySegment segment() {
    return segment;
  }

  /**
   * Gives a part of it a life of its own, which ends before this does: when it is closed, what is
   * accessed through it is as of a mapping that was closed, and the memory stays mapped.
   */
  @SuppressWarnings({"restricted", "MustBeClosedChecker"}) // inside of this; closed by its close()
  public Mapping part(long offset, long length) {
    MemorySegment memory = segment.asSlice(offset, length);
    Arena lifetime = Arena.ofShared();
    MemorySegment view =
        MemorySegment.ofAddress(memory.address()).reinterpret(length, lifetime, null);
    return new Mapping(
        "0x%x bytes at 0x%x of %s".formatted(length, offset, description),
        lifetime,
        memory.isReadOnly() ? view.asReadOnly() : view);
  }

  /**
   * Faults all pages in, for writing, so that a lack of memory is an error here, not a SIGBUS at
   * the first access.
   *
   * @throws LinuxException if there is not enough memory; or with {@code EINVAL} before Linux 5.14,
   *     which can't
   */
  public void populate() {
    Linux.check(
        Linux.calls().madvise(segment, Abi.MADV_POPULATE_WRITE),
        "madvise MADV_POPULATE_WRITE",
        description);
  }

  /**
   * Locks all pages into memory: they are never swapped out, though the kernel may move them. What
   * the kernel pins for a device, it locks by itself.
   *
   * @throws LinuxException if the limit on locked memory, {@link ResourceLimit#lockedMemory}, does
   *     not allow it
   */
  void lock() {
    Linux.check(Linux.calls().mlock(segment), "mlock", description);
  }

  /**
   * Unmaps the memory. Does nothing the second time.
   *
   * @throws IllegalStateException if a native call is using the segment: the mapping stays, close
   *     it again after the call
   */
  @Override
  public void close() {
    try {
      if (arena.scope().isAlive()) {
        arena.close();
      }
    } catch (IllegalStateException e) {
      // Another thread may have been faster.
      if (arena.scope().isAlive()) {
        throw e;
      }
    }
  }

  /** What is mapped, for messages. */
  @Override
  public String toString() {
    return description;
  }
}
