package org.gatun.nativeaccess;

import java.lang.foreign.MemorySegment;

/**
 * The system calls, raw: what an implementation (FFM here, JNA in its own module) has to provide.
 *
 * <p>Every method returns the call's result, or the negative of {@code errno} where the call
 * failed, as the kernel itself does. Nothing is retried and nothing is checked: that is done once,
 * above, in {@link Fd} and {@link Mapping}, which are what the rest of Gatun uses. Segments must be
 * native. All methods may be called from any thread.
 *
 * <p>The implementation is chosen once, when the first call is made: FFM, unless the system
 * property {@code gatun.native} names another one.
 */
public interface LinuxCalls {
  /** The value of the system property {@code gatun.native} that chooses this implementation. */
  String name();

  /** The module that needs native access, for messages. */
  Module nativeModule();

  /** {@code open(2)}, without creating: there is no mode. */
  int open(String path, int flags);

  /** {@code close(2)}. */
  int close(int fd);

  /** {@code read(2)} of {@code count} bytes to the start of {@code buffer}. */
  long read(int fd, MemorySegment buffer, long count);

  /** {@code write(2)} of the first {@code count} bytes of {@code buffer}. */
  long write(int fd, MemorySegment buffer, long count);

  /** {@code pread(2)} of {@code count} bytes at {@code offset} to the start of {@code buffer}. */
  long pread(int fd, MemorySegment buffer, long count, long offset);

  /** {@code pwrite(2)} of the first {@code count} bytes of {@code buffer} at {@code offset}. */
  long pwrite(int fd, MemorySegment buffer, long count, long offset);

  /** {@code preadv2(2)} to {@code count} elements of {@code struct iovec}. */
  long preadv2(int fd, MemorySegment iovecs, int count, long offset, int flags);

  /** {@code ioctl(2)} with an argument that is a number. */
  int ioctl(int fd, long request, long argument);

  /** {@code ioctl(2)} with an argument that is a pointer. */
  int ioctl(int fd, long request, MemorySegment argument);

  /** {@code fcntl(2)} with an argument that is a number. */
  int fcntl(int fd, int command, int argument);

  /** {@code ftruncate(2)}. */
  int ftruncate(int fd, long length);

  /**
   * {@code mmap(2)} at an address that the kernel chooses; {@code fd} is -1 for anonymous memory.
   */
  long mmap(long length, int protection, int flags, int fd, long offset);

  /** {@code munmap(2)}. */
  int munmap(long address, long length);

  /** {@code madvise(2)} on all of {@code memory}. */
  int madvise(MemorySegment memory, int advice);

  /** {@code mlock(2)} of all of {@code memory}. */
  int mlock(MemorySegment memory);

  /** {@code memfd_create(2)}. */
  int memfdCreate(String name, int flags);

  /** {@code eventfd(2)}, the counter starting at 0. */
  int eventfd(int flags);

  /**
   * {@code ppoll(2)} of {@code count} elements of {@code struct pollfd}, the signal mask unchanged.
   */
  int ppoll(MemorySegment pollFds, long count, MemorySegment timespec);

  /** {@code lseek(2)}. */
  long lseek(int fd, long offset, int whence);

  /** {@code fstatfs(2)} to a {@code struct statfs}. */
  int fstatfs(int fd, MemorySegment statfs);

  /** {@code socket(2)}. */
  int socket(int domain, int type, int protocol);

  /** {@code socketpair(2)}: the two descriptors go to an array of two {@code int}. */
  int socketpair(int domain, int type, int protocol, MemorySegment two);

  /** {@code bind(2)} to the first {@code length} bytes of {@code address}. */
  int bind(int fd, MemorySegment address, int length);

  /** {@code listen(2)}. */
  int listen(int fd, int backlog);

  /** {@code accept4(2)}, without asking for the peer's address. */
  int accept4(int fd, int flags);

  /** {@code connect(2)} to the first {@code length} bytes of {@code address}. */
  int connect(int fd, MemorySegment address, int length);

  /**
   * {@code sendmsg(2)} of a {@code struct msghdr}. What that points to, the caller keeps alive and
   * in place during the call: nobody looks into it here.
   */
  long sendmsg(int fd, MemorySegment message, int flags);

  /**
   * {@code recvmsg(2)} to a {@code struct msghdr}. What that points to, the caller keeps alive and
   * in place during the call: nobody looks into it here.
   */
  long recvmsg(int fd, MemorySegment message, int flags);

  /** {@code shutdown(2)}. */
  int shutdown(int fd, int how);

  /**
   * {@code getsockopt(2)}.
   *
   * @param length a {@code socklen_t}: how much room there is, and after the call, how much is used
   */
  int getsockopt(int fd, int level, int option, MemorySegment value, MemorySegment length);

  /** {@code setsockopt(2)} to all of {@code value}. */
  int setsockopt(int fd, int level, int option, MemorySegment value);

  /** {@code getrlimit(2)} to a {@code struct rlimit}. */
  int getrlimit(int resource, MemorySegment limit);

  /**
   * {@code syscall(2)}: what has no function of its own above, being called once in a process's
   * life. What the arguments point to, the caller keeps alive and in place: nobody looks into it
   * here.
   *
   * @param number which one, as this processor counts them
   * @param arguments at most six; those that are missing are 0
   */
  long syscall(long number, long... arguments);

  /** {@code getpagesize(2)}, in bytes. */
  int getpagesize();
}
