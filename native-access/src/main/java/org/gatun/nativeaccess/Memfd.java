package org.gatun.nativeaccess;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A file in memory, with no name in any file system: memory that can be shared by passing its
 * descriptor.
 *
 * <p>A file that can shrink under its users kills them with SIGBUS: seal its size before sharing.
 */
public final class Memfd implements AutoCloseable {
  private static final String WANTED = "a memfd";

  private final Fd fd;
  private final boolean huge;

  private Memfd(Fd fd, boolean huge) {
    this.fd = fd;
    this.huge = huge;
  }

  /**
   * Creates an empty one, readable and writable.
   *
   * @param name for messages and {@code /proc/PID/maps}; at most 249 bytes, need not be unique
   */
  public static Memfd create(String name) {
    int number = Linux.calls().memfdCreate(name, Abi.MFD_CLOEXEC | Abi.MFD_ALLOW_SEALING);
    return new Memfd(new Fd(Linux.check(number, "memfd_create", name), "memfd " + name), false);
  }

  /**
   * Creates an empty one of huge pages of the default size, readable and writable: its size, and
   * each part that is mapped, are whole huge pages. Memory of huge pages is never swapped out.
   *
   * @param name as for {@link #create}
   * @throws LinuxException if the kernel has no huge pages. Whether there are free ones only
   *     mapping tells, by {@link Errno#ENOMEM}.
   */
  public static Memfd createHuge(String name) {
    int number = Linux.calls().memfdCreate(name, Abi.MFD_CLOEXEC | Abi.MFD_HUGETLB);
    return new Memfd(
        new Fd(Linux.check(number, "memfd_create MFD_HUGETLB", name), "memfd " + name), true);
  }

  /**
   * Takes over the descriptor of a file in memory that somebody else made: one that a peer sent. A
   * file of {@code /dev/shm} or of a mounted hugetlbfs is one too, though it has a name; it can
   * always shrink.
   *
   * <p>The other side may go on using it: believe its size only if {@link #isShrinkSealed}.
   *
   * @throws WrongDescriptorException if it is something else; then it stays the caller's, open
   */
  public static Memfd of(Fd fd) {
    int number = fd.acquire("fcntl F_GET_SEALS");
    try (Arena arena = Arena.ofConfined()) {
      // First of all, as it asks no file system: a file of the peer's own (FUSE) could answer
      // fstatfs late or never.
      if (Linux.calls().fcntl(number, Abi.F_GET_SEALS, 0) < 0) {
        throw new WrongDescriptorException(WANTED, fd);
      }
      MemorySegment statfs = arena.allocate(Abi.STATFS);
      int result;
      do {
        result = Linux.calls().fstatfs(number, statfs);
      } while (Fd.interrupted(result));
      Linux.check(result, "fstatfs", fd);
      long type = statfs.get(JAVA_LONG, Abi.STATFS_TYPE);
      if (type != Abi.TMPFS_MAGIC && type != Abi.HUGETLBFS_MAGIC) {
        throw new WrongDescriptorException(WANTED, fd);
      }
      return new Memfd(fd, type == Abi.HUGETLBFS_MAGIC);
    } finally {
      fd.release();
    }
  }

  /** The descriptor, to pass on; it stays this object's. */
  public Fd fd() {
    return fd;
  }

  /**
   * Makes it shorter or longer; new bytes are 0.
   *
   * @throws LinuxException with {@link Errno#EPERM} after {@link #sealSize}
   */
  public void resize(long length) {
    int number = fd.acquire("ftruncate");
    try {
      int result;
      do {
        result = Linux.calls().ftruncate(number, length);
      } while (Fd.interrupted(result));
      Linux.check(result, "ftruncate", fd);
    } finally {
      fd.release();
    }
  }

  /**
   * Fixes its size for good, whoever has the descriptor: seals it against shrinking, growing and
   * further seals.
   */
  public void sealSize() {
    fcntl(
        "fcntl F_ADD_SEALS",
        Abi.F_ADD_SEALS,
        Abi.F_SEAL_SHRINK | Abi.F_SEAL_GROW | Abi.F_SEAL_SEAL);
  }

  /** Returns whether {@link #sealSize} was called, here or by another holder of the descriptor. */
  public boolean isSizeSealed() {
    int seals = fcntl("fcntl F_GET_SEALS", Abi.F_GET_SEALS, 0);
    return (seals & Abi.F_SEAL_SHRINK) != 0 && (seals & Abi.F_SEAL_GROW) != 0;
  }

  /**
   * Returns whether it is sealed against shrinking, so that no holder of the descriptor can take
   * mapped memory away by {@link #resize}.
   */
  public boolean isShrinkSealed() {
    return (fcntl("fcntl F_GET_SEALS", Abi.F_GET_SEALS, 0) & Abi.F_SEAL_SHRINK) != 0;
  }

  /** Returns whether it is of huge pages. */
  public boolean isHuge() {
    return huge;
  }

  /** Returns its size now, in bytes. */
  public long size() {
    int number = fd.acquire("lseek");
    try {
      // Nobody reads from or writes to the position, which is shared with the other holders.
      return Linux.check(Linux.calls().lseek(number, 0, Abi.SEEK_END), "lseek", fd);
    } finally {
      fd.release();
    }
  }

  /**
   * Maps the first {@code length} bytes, readable and writable.
   *
   * @throws LinuxException if it can't be mapped; with {@link Errno#ENOMEM} if no huge pages are
   *     free for one of huge pages
   */
  public Mapping map(long length) {
    return Mapping.map(fd, 0, length, Access.READ_WRITE);
  }

  /** Closes the descriptor. Mappings stay. Does nothing the second time. */
  @Override
  public void close() {
    fd.close();
  }

  @Override
  public String toString() {
    return fd.toString();
  }

  private int fcntl(String call, int command, int argument) {
    int number = fd.acquire(call);
    try {
      return Linux.check(Linux.calls().fcntl(number, command, argument), call, fd);
    } finally {
      fd.release();
    }
  }
}
