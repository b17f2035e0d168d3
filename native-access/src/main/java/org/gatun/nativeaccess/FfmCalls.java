package org.gatun.nativeaccess;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;

/**
 * The calls through the FFM API.
 *
 * <p>Each function is linked when it is called first: linking takes milliseconds, and few processes
 * call them all.
 *
 * <p>No call here is {@code critical}: each of them may block, or fault pages in, and would hold up
 * a safepoint. Passing a segment keeps its arena open during the call.
 */
final class FfmCalls implements LinuxCalls {
  static final String NAME = "ffm";

  private static final class Open {
    static final MethodHandle CALL = variadic("open", 2, JAVA_INT, ADDRESS, JAVA_INT);
  }

  private static final class Close {
    static final MethodHandle CALL = function("close", JAVA_INT, JAVA_INT);
  }

  private static final class Read {
    static final MethodHandle CALL = function("read", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
  }

  private static final class Write {
    static final MethodHandle CALL = function("write", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
  }

  private static final class Pread {
    static final MethodHandle CALL =
        function("pread", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG);
  }

  private static final class Pwrite {
    static final MethodHandle CALL =
        function("pwrite", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG);
  }

  private static final class Preadv2 {
    static final MethodHandle CALL =
        function("preadv2", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT, JAVA_LONG, JAVA_INT);
  }

  private static final class IoctlNumber {
    static final MethodHandle CALL = variadic("ioctl", 2, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
  }

  private static final class IoctlPointer {
    static final MethodHandle CALL = variadic("ioctl", 2, JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS);
  }

  private static final class Fcntl {
    static final MethodHandle CALL = variadic("fcntl", 2, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);
  }

  private static final class Ftruncate {
    static final MethodHandle CALL = function("ftruncate", JAVA_INT, JAVA_INT, JAVA_LONG);
  }

  private static final class Mmap {
    static final MethodHandle CALL =
        function("mmap", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG);
  }

  private static final class Munmap {
    static final MethodHandle CALL = function("munmap", JAVA_INT, JAVA_LONG, JAVA_LONG);
  }

  private static final class Madvise {
    static final MethodHandle CALL = function("madvise", JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
  }

  private static final class Mlock {
    static final MethodHandle CALL = function("mlock", JAVA_INT, ADDRESS, JAVA_LONG);
  }

  private static final class MemfdCreate {
    static final MethodHandle CALL = function("memfd_create", JAVA_INT, ADDRESS, JAVA_INT);
  }

  private static final class Eventfd {
    static final MethodHandle CALL = function("eventfd", JAVA_INT, JAVA_INT, JAVA_INT);
  }

  private static final class Ppoll {
    static final MethodHandle CALL =
        function("ppoll", JAVA_INT, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS);
  }

  private static final class Lseek {
    static final MethodHandle CALL = function("lseek", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);
  }

  private static final class Fstatfs {
    static final MethodHandle CALL = function("fstatfs", JAVA_INT, JAVA_INT, ADDRESS);
  }

  private static final class Socket {
    static final MethodHandle CALL = function("socket", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);
  }

  private static final class Socketpair {
    static final MethodHandle CALL =
        function("socketpair", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS);
  }

  private static final class Bind {
    static final MethodHandle CALL = function("bind", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
  }

  private static final class Listen {
    static final MethodHandle CALL = function("listen", JAVA_INT, JAVA_INT, JAVA_INT);
  }

  private static final class Accept4 {
    static final MethodHandle CALL =
        function("accept4", JAVA_INT, JAVA_INT, ADDRESS, ADDRESS, JAVA_INT);
  }

  private static final class Connect {
    static final MethodHandle CALL = function("connect", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
  }

  private static final class Sendmsg {
    static final MethodHandle CALL = function("sendmsg", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT);
  }

  private static final class Recvmsg {
    static final MethodHandle CALL = function("recvmsg", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT);
  }

  private static final class Shutdown {
    static final MethodHandle CALL = function("shutdown", JAVA_INT, JAVA_INT, JAVA_INT);
  }

  private static final class Getsockopt {
    static final MethodHandle CALL =
        function("getsockopt", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, ADDRESS);
  }

  private static final class Setsockopt {
    static final MethodHandle CALL =
        function("setsockopt", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
  }

  private static final class Getrlimit {
    static final MethodHandle CALL = function("getrlimit", JAVA_INT, JAVA_INT, ADDRESS);
  }

  private static final class Syscall {
    static final MethodHandle CALL =
        variadic(
            "syscall", 1, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG,
            JAVA_LONG, JAVA_LONG);
  }

  private static final class Getpagesize {
    static final MethodHandle CALL = function("getpagesize", JAVA_INT);
  }

  /**
   * Where a thread's calls leave errno. It is the first and only member of the capture state on
   * Linux; one segment per thread, because two threads that shared one would read each other's
   * errors.
   */
  private static final ThreadLocal<MemorySegment> ERRNO =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(Linker.Option.captureStateLayout()));

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public Module nativeModule() {
    return FfmCalls.class.getModule();
  }

  @Override
  public int open(String path, int flags) {
    MemorySegment errno = ERRNO.get();
    try (Arena arena = Arena.ofConfined()) {
      return result((int) Open.CALL.invokeExact(errno, arena.allocateFrom(path), flags), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int close(int fd) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((int) Close.CALL.invokeExact(errno, fd), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public long read(int fd, MemorySegment buffer, long count) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((long) Read.CALL.invokeExact(errno, fd, buffer, count), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public long write(int fd, MemorySegment buffer, long count) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((long) Write.CALL.invokeExact(errno, fd, buffer, count), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public long pread(int fd, MemorySegment buffer, long count, long offset) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((long) Pread.CALL.invokeExact(errno, fd, buffer, count, offset), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public long pwrite(int fd, MemorySegment buffer, long count, long offset) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((long) Pwrite.CALL.invokeExact(errno, fd, buffer, count, offset), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public long preadv2(int fd, MemorySegment iovecs, int count, long offset, int flags) {
    MemorySegment errno = ERRNO.get();
    try {
      return result(
          (long) Preadv2.CALL.invokeExact(errno, fd, iovecs, count, offset, flags), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int ioctl(int fd, long request, long argument) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((int) IoctlNumber.CALL.invokeExact(errno, fd, request, argument), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int ioctl(int fd, long request, MemorySegment argument) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((int) IoctlPointer.CALL.invokeExact(errno, fd, request, argument), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int fcntl(int fd, int command, int argument) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((int) Fcntl.CALL.invokeExact(errno, fd, command, argument), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int ftruncate(int fd, long length) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((int) Ftruncate.CALL.invokeExact(errno, fd, length), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public long mmap(long length, int protection, int flags, int fd, long offset) {
    MemorySegment errno = ERRNO.get();
    try {
      return result(
          (long) Mmap.CALL.invokeExact(errno, 0L, length, protection, flags, fd, offset), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int munmap(long address, long length) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((int) Munmap.CALL.invokeExact(errno, address, length), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int madvise(MemorySegment memory, int advice) {
    MemorySegment errno = ERRNO.get();
    try {
      return result(
          (int) Madvise.CALL.invokeExact(errno, memory, memory.byteSize(), advice), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int mlock(MemorySegment memory) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((int) Mlock.CALL.invokeExact(errno, memory, memory.byteSize()), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int memfdCreate(String name, int flags) {
    MemorySegment errno = ERRNO.get();
    try (Arena arena = Arena.ofConfined()) {
      return result(
          (int) MemfdCreate.CALL.invokeExact(errno, arena.allocateFrom(name), flags), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int eventfd(int flags) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((int) Eventfd.CALL.invokeExact(errno, 0, flags), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int ppoll(MemorySegment pollFds, long count, MemorySegment timespec) {
    MemorySegment errno = ERRNO.get();
    try {
      return result(
          (int) Ppoll.CALL.invokeExact(errno, pollFds, count, timespec, MemorySegment.NULL), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public long lseek(int fd, long offset, int whence) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((long) Lseek.CALL.invokeExact(errno, fd, offset, whence), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int fstatfs(int fd, MemorySegment statfs) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((int) Fstatfs.CALL.invokeExact(errno, fd, statfs), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int socket(int domain, int type, int protocol) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((int) Socket.CALL.invokeExact(errno, domain, type, protocol), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int socketpair(int domain, int type, int protocol, MemorySegment two) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((int) Socketpair.CALL.invokeExact(errno, domain, type, protocol, two), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int bind(int fd, MemorySegment address, int length) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((int) Bind.CALL.invokeExact(errno, fd, address, length), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int listen(int fd, int backlog) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((int) Listen.CALL.invokeExact(errno, fd, backlog), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int accept4(int fd, int flags) {
    MemorySegment errno = ERRNO.get();
    try {
      return result(
          (int) Accept4.CALL.invokeExact(errno, fd, MemorySegment.NULL, MemorySegment.NULL, flags),
          errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int connect(int fd, MemorySegment address, int length) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((int) Connect.CALL.invokeExact(errno, fd, address, length), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public long sendmsg(int fd, MemorySegment message, int flags) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((long) Sendmsg.CALL.invokeExact(errno, fd, message, flags), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public long recvmsg(int fd, MemorySegment message, int flags) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((long) Recvmsg.CALL.invokeExact(errno, fd, message, flags), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int shutdown(int fd, int how) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((int) Shutdown.CALL.invokeExact(errno, fd, how), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int getsockopt(int fd, int level, int option, MemorySegment value, MemorySegment length) {
    MemorySegment errno = ERRNO.get();
    try {
      return result(
          (int) Getsockopt.CALL.invokeExact(errno, fd, level, option, value, length), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int setsockopt(int fd, int level, int option, MemorySegment value) {
    MemorySegment errno = ERRNO.get();
    try {
      return result(
          (int)
              Setsockopt.CALL.invokeExact(errno, fd, level, option, value, (int) value.byteSize()),
          errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int getrlimit(int resource, MemorySegment limit) {
    MemorySegment errno = ERRNO.get();
    try {
      return result((int) Getrlimit.CALL.invokeExact(errno, resource, limit), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public long syscall(long number, long... arguments) {
    MemorySegment errno = ERRNO.get();
    long[] a = Arrays.copyOf(arguments, 6);
    try {
      return result(
          (long) Syscall.CALL.invokeExact(errno, number, a[0], a[1], a[2], a[3], a[4], a[5]),
          errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  @Override
  public int getpagesize() {
    MemorySegment errno = ERRNO.get();
    try {
      return result((int) Getpagesize.CALL.invokeExact(errno), errno);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  private static int result(int result, MemorySegment errno) {
    return result != -1 ? result : -errno.get(JAVA_INT, 0);
  }

  private static long result(long result, MemorySegment errno) {
    return result != -1 ? result : -errno.get(JAVA_INT, 0);
  }

  /** What is thrown before the call was made: a closed arena, a heap segment. */
  private static RuntimeException unexpected(Throwable e) {
    return switch (e) {
      case RuntimeException unchecked -> unchecked;
      case Error error -> throw error;
      default -> throw new AssertionError("native calls throw no checked exceptions", e);
    };
  }

  private static MethodHandle function(
      String name, MemoryLayout result, MemoryLayout... arguments) {
    return link(
        name, FunctionDescriptor.of(result, arguments), Linker.Option.captureCallState("errno"));
  }

  /** Links a function whose C prototype ends in {@code ...} after {@code fixed} arguments. */
  private static MethodHandle variadic(
      String name, int fixed, MemoryLayout result, MemoryLayout... arguments) {
    return link(
        name,
        FunctionDescriptor.of(result, arguments),
        Linker.Option.captureCallState("errno"),
        Linker.Option.firstVariadicArg(fixed));
  }

  @SuppressWarnings("restricted") // the module's purpose
  private static MethodHandle link(String name, FunctionDescriptor type, Linker.Option... options) {
    Linker linker = Linker.nativeLinker();
    return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), type, options);
  }
}
