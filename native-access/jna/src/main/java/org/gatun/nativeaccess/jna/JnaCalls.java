package org.gatun.nativeaccess.jna;

import com.sun.jna.Native;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.gatun.nativeaccess.LinuxCalls;

/**
 * The calls through JNA's direct mapping.
 *
 * <p>JNA knows nothing of segments, so they go as addresses. That keeps an automatic arena
 * reachable, but not a shared one open: unlike with FFM, whoever closes an arena during a call that
 * uses it gets no exception, and the call works on memory that is gone.
 */
public final class JnaCalls implements LinuxCalls {
  /** For the {@link java.util.ServiceLoader}; nothing native is loaded before the first call. */
  public JnaCalls() {}

  @Override
  public String name() {
    return "jna";
  }

  @Override
  public Module nativeModule() {
    return Native.class.getModule();
  }

  @Override
  public int open(String path, int flags) {
    return result(Libc.open(cString(path), flags));
  }

  @Override
  public int close(int fd) {
    return result(Libc.close(fd));
  }

  @Override
  public long read(int fd, MemorySegment buffer, long count) {
    try {
      return result(Libc.read(fd, address(buffer), count));
    } finally {
      Reference.reachabilityFence(buffer);
    }
  }

  @Override
  public long write(int fd, MemorySegment buffer, long count) {
    try {
      return result(Libc.write(fd, address(buffer), count));
    } finally {
      Reference.reachabilityFence(buffer);
    }
  }

  @Override
  public long pread(int fd, MemorySegment buffer, long count, long offset) {
    try {
      return result(Libc.pread(fd, address(buffer), count, offset));
    } finally {
      Reference.reachabilityFence(buffer);
    }
  }

  @Override
  public long pwrite(int fd, MemorySegment buffer, long count, long offset) {
    try {
      return result(Libc.pwrite(fd, address(buffer), count, offset));
    } finally {
      Reference.reachabilityFence(buffer);
    }
  }

  @Override
  public long preadv2(int fd, MemorySegment iovecs, int count, long offset, int flags) {
    try {
      return result(Libc.preadv2(fd, address(iovecs), count, offset, flags));
    } finally {
      Reference.reachabilityFence(iovecs);
    }
  }

  @Override
  public int ioctl(int fd, long request, long argument) {
    return result(Libc.ioctl(fd, request, argument));
  }

  @Override
  public int ioctl(int fd, long request, MemorySegment argument) {
    try {
      return result(Libc.ioctl(fd, request, address(argument)));
    } finally {
      Reference.reachabilityFence(argument);
    }
  }

  @Override
  public int fcntl(int fd, int command, int argument) {
    return result(Libc.fcntl(fd, command, argument));
  }

  @Override
  public int ftruncate(int fd, long length) {
    return result(Libc.ftruncate(fd, length));
  }

  @Override
  public long mmap(long length, int protection, int flags, int fd, long offset) {
    return result(Libc.mmap(0, length, protection, flags, fd, offset));
  }

  @Override
  public int munmap(long address, long length) {
    return result(Libc.munmap(address, length));
  }

  @Override
  public int madvise(MemorySegment memory, int advice) {
    try {
      return result(Libc.madvise(address(memory), memory.byteSize(), advice));
    } finally {
      Reference.reachabilityFence(memory);
    }
  }

  @Override
  public int mlock(MemorySegment memory) {
    try {
      return result(Libc.mlock(address(memory), memory.byteSize()));
    } finally {
      Reference.reachabilityFence(memory);
    }
  }

  @Override
  public int memfdCreate(String name, int flags) {
    return result(Libc.memfd_create(cString(name), flags));
  }

  @Override
  public int eventfd(int flags) {
    return result(Libc.eventfd(0, flags));
  }

  @Override
  public int ppoll(MemorySegment pollFds, long count, MemorySegment timespec) {
    try {
      return result(Libc.ppoll(address(pollFds), count, address(timespec), 0));
    } finally {
      Reference.reachabilityFence(pollFds);
      Reference.reachabilityFence(timespec);
    }
  }

  @Override
  public long lseek(int fd, long offset, int whence) {
    return result(Libc.lseek(fd, offset, whence));
  }

  @Override
  public int fstatfs(int fd, MemorySegment statfs) {
    try {
      return result(Libc.fstatfs(fd, address(statfs)));
    } finally {
      Reference.reachabilityFence(statfs);
    }
  }

  @Override
  public int socket(int domain, int type, int protocol) {
    return result(Libc.socket(domain, type, protocol));
  }

  @Override
  public int socketpair(int domain, int type, int protocol, MemorySegment two) {
    try {
      return result(Libc.socketpair(domain, type, protocol, address(two)));
    } finally {
      Reference.reachabilityFence(two);
    }
  }

  @Override
  public int bind(int fd, MemorySegment address, int length) {
    try {
      return result(Libc.bind(fd, address(address), length));
    } finally {
      Reference.reachabilityFence(address);
    }
  }

  @Override
  public int listen(int fd, int backlog) {
    return result(Libc.listen(fd, backlog));
  }

  @Override
  public int accept4(int fd, int flags) {
    return result(Libc.accept4(fd, 0, 0, flags));
  }

  @Override
  public int connect(int fd, MemorySegment address, int length) {
    try {
      return result(Libc.connect(fd, address(address), length));
    } finally {
      Reference.reachabilityFence(address);
    }
  }

  @Override
  public long sendmsg(int fd, MemorySegment message, int flags) {
    try {
      return result(Libc.sendmsg(fd, address(message), flags));
    } finally {
      Reference.reachabilityFence(message);
    }
  }

  @Override
  public long recvmsg(int fd, MemorySegment message, int flags) {
    try {
      return result(Libc.recvmsg(fd, address(message), flags));
    } finally {
      Reference.reachabilityFence(message);
    }
  }

  @Override
  public int shutdown(int fd, int how) {
    return result(Libc.shutdown(fd, how));
  }

  @Override
  public int getsockopt(int fd, int level, int option, MemorySegment value, MemorySegment length) {
    try {
      return result(Libc.getsockopt(fd, level, option, address(value), address(length)));
    } finally {
      Reference.reachabilityFence(value);
      Reference.reachabilityFence(length);
    }
  }

  @Override
  public int setsockopt(int fd, int level, int option, MemorySegment value) {
    try {
      return result(Libc.setsockopt(fd, level, option, address(value), (int) value.byteSize()));
    } finally {
      Reference.reachabilityFence(value);
    }
  }

  @Override
  public int getrlimit(int resource, MemorySegment limit) {
    try {
      return result(Libc.getrlimit(resource, address(limit)));
    } finally {
      Reference.reachabilityFence(limit);
    }
  }

  @Override
  public long syscall(long number, long... arguments) {
    long[] a = Arrays.copyOf(arguments, 6);
    return result(Libc.syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]));
  }

  @Override
  public int getpagesize() {
    return result(Libc.getpagesize());
  }

  private static int result(int result) {
    return result != -1 ? result : -Native.getLastError();
  }

  private static long result(long result) {
    return result != -1 ? result : -Native.getLastError();
  }

  /** The address of a segment that is native and alive: as FFM would have it. */
  private static long address(MemorySegment segment) {
    if (!segment.isNative()) {
      throw new IllegalArgumentException("Heap segment not allowed: " + segment);
    }
    if (!segment.scope().isAlive()) {
      throw new IllegalStateException("Already closed");
    }
    return segment.address();
  }

  private static byte[] cString(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return Arrays.copyOf(bytes, bytes.length + 1);
  }

  /**
   * The C prototypes, LP64. Direct mapping can't say that open, ioctl, fcntl and syscall are
   * variadic; on Linux, x86-64 and AArch64 pass variadic integers as others, so that is no
   * difference.
   */
  private static final class Libc {
    static {
      Native.register(Libc.class, "c");
    }

    private Libc() {}

    static native int open(byte[] path, int flags);

    static native int close(int fd);

    static native long read(int fd, long buffer, long count);

    static native long write(int fd, long buffer, long count);

    static native long pread(int fd, long buffer, long count, long offset);

    static native long preadv2(int fd, long iovecs, int count, long offset, int flags);

    static native long pwrite(int fd, long buffer, long count, long offset);

    static native int ioctl(int fd, long request, long argument);

    static native int fcntl(int fd, int command, int argument);

    static native int ftruncate(int fd, long length);

    static native long mmap(
        long address, long length, int protection, int flags, int fd, long offset);

    static native int munmap(long address, long length);

    static native int madvise(long address, long length, int advice);

    static native int mlock(long address, long length);

    static native int memfd_create(byte[] name, int flags);

    static native int eventfd(int initial, int flags);

    static native int ppoll(long fds, long count, long timeout, long signalMask);

    static native long lseek(int fd, long offset, int whence);

    static native int fstatfs(int fd, long statfs);

    static native int socket(int domain, int type, int protocol);

    static native int socketpair(int domain, int type, int protocol, long two);

    static native int bind(int fd, long address, int length);

    static native int listen(int fd, int backlog);

    static native int accept4(int fd, long address, long length, int flags);

    static native int connect(int fd, long address, int length);

    static native long sendmsg(int fd, long message, int flags);

    static native long recvmsg(int fd, long message, int flags);

    static native int shutdown(int fd, int how);

    static native int getsockopt(int fd, int level, int option, long value, long length);

    static native int setsockopt(int fd, int level, int option, long value, int length);

    static native int getrlimit(int resource, long limit);

    static native long syscall(
        long number, long first, long second, long third, long fourth, long fifth, long sixth);

    static native int getpagesize();
  }
}
