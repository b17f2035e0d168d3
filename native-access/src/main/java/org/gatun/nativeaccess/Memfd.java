package org.gatun.nativeaccess;

/**
 * A file in memory, with no name in any file system: memory that can be shared by passing its
 * descriptor.
 *
 * <p>A file that can shrink under its users kills them with SIGBUS: seal its size before sharing.
 */
public final class Memfd implements AutoCloseable {
  private final Fd fd;

  private Memfd(Fd fd) {
    this.fd = fd;
  }

  /**
   * Creates an empty one, readable and writable.
   *
   * @param name for messages and {@code /proc/PID/maps}; at most 249 bytes, need not be unique
   */
  public static Memfd create(String name) {
    int number = Linux.calls().memfdCreate(name, Abi.MFD_CLOEXEC | Abi.MFD_ALLOW_SEALING);
    return new Memfd(new Fd(Linux.check(number, "memfd_create", name), "memfd " + name));
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
        new Fd(Linux.check(number, "memfd_create MFD_HUGETLB", name), "memfd " + name));
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
