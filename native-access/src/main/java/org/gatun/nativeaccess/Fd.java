package org.gatun.nativeaccess;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The one owner of a file descriptor: closes it once.
 *
 * <p><b>Threads.</b> All methods may be called from any thread, {@link #close} too. The kernel
 * hands a closed descriptor's number to whatever is opened next, so a number must not be closed
 * under a call that uses it: calls in flight are counted, and the last of them closes a descriptor
 * whose owner closed it meanwhile. Later calls throw {@link ClosedDescriptorException}. Neither
 * side takes a lock or waits for the other.
 *
 * <p><b>Errors.</b> A call that fails throws {@link LinuxException}; one that a signal interrupted
 * is made again, apart from ioctls, which may have had an effect.
 *
 * <p>Every descriptor is closed on {@code exec}.
 */
public final class Fd implements AutoCloseable {
  /**
   * In {@link #state}: the owner closed it. What is left of the state counts the calls in flight.
   */
  private static final int CLOSED = 1 << 31;

  private static final ValueLayout.OfShort LE_16 = ValueLayout.JAVA_SHORT.withOrder(LITTLE_ENDIAN);
  private static final ValueLayout.OfInt LE_32 = ValueLayout.JAVA_INT.withOrder(LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LE_64 = ValueLayout.JAVA_LONG.withOrder(LITTLE_ENDIAN);

  private final int number;
  private final String description;
  private final Wake wake;
  private final AtomicInteger state = new AtomicInteger();

  /** Makes the calls that block on a descriptor return, when it is closed under them. */
  @FunctionalInterface
  interface Wake {
    Wake NONE = number -> {};

    void wake(int number);
  }

  /** Takes over an open descriptor. */
  Fd(int number, String description) {
    this(number, description, Wake.NONE);
  }

  Fd(int number, String description, Wake wake) {
    this.number = number;
    this.description = description;
    this.wake = wake;
  }

  /**
   * Takes over a descriptor that this process was started with, and that nobody else here uses.
   *
   * @param number which one
   * @param description what it is, for messages
   * @throws LinuxException if there is none of that number
   */
  public static Fd inherited(int number, String description) {
    int result = Linux.calls().fcntl(number, Abi.F_SETFD, Abi.FD_CLOEXEC);
    Linux.check(result, "fcntl F_SETFD", description + " (fd " + number + ")");
    return new Fd(number, description);
  }

  /**
   * Makes another descriptor of the same thing, with an owner of its own.
   *
   * @param newDescription what it is, for messages
   */
  public Fd duplicate(String newDescription) {
    acquire("fcntl F_DUPFD_CLOEXEC");
    try {
      int copy = Linux.calls().fcntl(number, Abi.F_DUPFD_CLOEXEC, 0);
      return new Fd(Linux.check(copy, "fcntl F_DUPFD_CLOEXEC", this), newDescription);
    } finally {
      release();
    }
  }

  /**
   * Opens a file or device that exists.
   *
   * @throws LinuxException if it can't be opened, with the path
   */
  public static Fd open(Path path, Access access) {
    String text = path.toString();
    int number;
    do {
      number = Linux.calls().open(text, access.openFlags() | Abi.O_CLOEXEC);
    } while (interrupted(number));
    return new Fd(Linux.check(number, "open", text), text);
  }

  /** Makes an ioctl without an argument, and returns its result, which is not negative. */
  public int ioctl(Ioctl request) {
    return ioctl(request, 0);
  }

  /** Makes an ioctl whose argument is a number, and returns its result, which is not negative. */
  public int ioctl(Ioctl request, long argument) {
    acquire(request.name());
    try {
      int result = Linux.calls().ioctl(number, request.number(), argument);
      return result >= 0 ? result : ioctlFailed(request, result);
    } finally {
      release();
    }
  }

  /**
   * Makes an ioctl whose argument is a pointer, and returns its result, which is not negative.
   *
   * @param argument a native segment; as large as the request says, which nobody checks here
   */
  public int ioctl(Ioctl request, MemorySegment argument) {
    acquire(request.name());
    try {
      int result = Linux.calls().ioctl(number, request.number(), argument);
      return result >= 0 ? result : ioctlFailed(request, result);
    } finally {
      release();
    }
  }

  /**
   * Makes an ioctl whose argument is a pointer and whose result is a new descriptor, which the
   * caller owns.
   *
   * @param newDescription what the new descriptor is, for messages
   */
  public Fd ioctlForFd(Ioctl request, MemorySegment argument, String newDescription) {
    return new Fd(ioctl(request, argument), newDescription);
  }

  /**
   * Reads an unsigned little-endian number in one {@code pread} of exactly its width. Allocates
   * nothing.
   *
   * @param width 1, 2, 4 or 8 bytes
   * @throws LinuxException if it fails, or gives fewer bytes
   */
  public long readAt(long offset, int width) {
    MemorySegment value = Scratch.ofThread().value;
    checkWidth(width);
    transferred("pread", offset, width, pread(offset, value, width));
    return switch (width) {
      case 1 -> Byte.toUnsignedLong(value.get(ValueLayout.JAVA_BYTE, 0));
      case 2 -> Short.toUnsignedLong(value.get(LE_16, 0));
      case 4 -> Integer.toUnsignedLong(value.get(LE_32, 0));
      default -> value.get(LE_64, 0);
    };
  }

  /**
   * Writes the low bytes of a number, little-endian, in one {@code pwrite} of exactly its width.
   * Allocates nothing.
   *
   * @param width 1, 2, 4 or 8 bytes
   * @throws LinuxException if it fails, or takes fewer bytes
   */
  public void writeAt(long offset, int width, long value) {
    MemorySegment scratch = Scratch.ofThread().value;
    checkWidth(width);
    // Little-endian, so the low bytes come first, whatever the width.
    scratch.set(LE_64, 0, value);
    transferred("pwrite", offset, width, pwrite(offset, scratch, width));
  }

  /**
   * Writes the low bytes of a number, little-endian, in one {@code write} of exactly its width, for
   * what has no offsets. Allocates nothing.
   *
   * @param width 1, 2, 4 or 8 bytes
   * @throws LinuxException if it fails, or takes fewer bytes
   */
  public void write(int width, long value) {
    MemorySegment scratch = Scratch.ofThread().value;
    checkWidth(width);
    scratch.set(LE_64, 0, value);
    acquire("write");
    try {
      long done;
      do {
        done = Linux.calls().write(number, scratch, width);
      } while (interrupted(done));
      transferred("write", 0, width, Linux.check(done, "write", this));
    } finally {
      release();
    }
  }

  /**
   * Waits until one of several has something to read, is at its end, or failed; reads nothing. To
   * be able to wake the waiter, have an eventfd of your own among them.
   *
   * @param limit how long at most; zero and less does not wait
   * @return the index of the first such; empty if there was none in that time
   * @throws ClosedDescriptorException if one is closed, before; or meanwhile, if that wakes those
   *     who wait for it, as it does for an {@link EventFd}
   */
  public static OptionalInt awaitReadable(List<Fd> fds, Duration limit) {
    try (HeldFds held = HeldFds.of(fds);
        Arena arena = Arena.ofConfined()) {
      MemorySegment pollFds = arena.allocate(Abi.POLLFD, fds.size());
      MemorySegment timespec = arena.allocate(Abi.TIMESPEC);
      for (int i = 0; i < fds.size(); i++) {
        long at = i * Abi.POLLFD.byteSize();
        pollFds.set(JAVA_INT, at + Abi.POLLFD_FD, held.number(i));
        pollFds.set(JAVA_SHORT, at + Abi.POLLFD_EVENTS, Abi.POLLIN);
      }
      long nanos = EventFd.nanos(limit);
      long start = System.nanoTime();
      long ready;
      do {
        EventFd.setTimeout(timespec, nanos - (System.nanoTime() - start));
        ready = Linux.calls().ppoll(pollFds, fds.size(), timespec);
      } while (interrupted(ready));
      Linux.check(ready, "ppoll", fds);
      for (Fd fd : fds) {
        if (fd.isClosed()) {
          throw new ClosedDescriptorException("await", fd);
        }
      }
      for (int i = 0; i < fds.size(); i++) {
        if (pollFds.get(JAVA_SHORT, i * Abi.POLLFD.byteSize() + Abi.POLLFD_REVENTS) != 0) {
          return OptionalInt.of(i);
        }
      }
      return OptionalInt.empty();
    }
  }

  /** Returns whether it was closed; calls that were in flight then may go on for a moment. */
  public boolean isClosed() {
    return state.get() < 0;
  }

  /**
   * Closes the descriptor, at once or when the last call in flight returns. Does nothing the second
   * time.
   *
   * @throws LinuxException if the kernel says that it was not open, so somebody else closed this
   *     number: a bug
   */
  @Override
  public void close() {
    close(wake);
  }

  /** Closes the descriptor as {@link #close()} does, but wakes those who wait in this way. */
  void close(Wake waiters) {
    int before;
    do {
      before = state.get();
      if (before < 0) {
        return;
      }
      // One use more, of our own: else the last call in flight could close the number before it is
      // used to wake.
    } while (!state.compareAndSet(before, CLOSED | (before + 1)));
    if (before > 0) {
      waiters.wake(number);
    }
    release();
  }

  /** The description and the number, for messages. */
  @Override
  public String toString() {
    return description + " (fd " + number + ")";
  }

  /**
   * Keeps the descriptor open until {@link #release}, and returns its number.
   *
   * @param call what it is wanted for, for messages
   */
  int acquire(String call) {
    int before;
    do {
      before = state.get();
      if (before < 0) {
        throw new ClosedDescriptorException(call, this);
      }
    } while (!state.compareAndSet(before, before + 1));
    return number;
  }

  /** Wakes those who wait, between {@link #acquire} and {@link #release}. */
  void wake() {
    wake.wake(number);
  }

  void release() {
    if (state.decrementAndGet() == CLOSED) {
      int result = Linux.calls().close(number);
      // Linux frees the number even when a signal interrupts: a second close could hit a stranger's
      // descriptor.
      if (!interrupted(result)) {
        Linux.check(result, "close", this);
      }
    }
  }

  /**
   * Returns what the kernel says that the descriptor refers to: a path, or for what has none,
   * {@code anon_inode:[eventfd]} and the like, which no file can be named. Whatever it is, no file
   * system is asked, so this does not block. Control characters are replaced, as names can be
   * anybody's.
   */
  String kind() {
    Path link = Path.of("/proc/self/fd/" + acquire("readlink"));
    try {
      return Files.readSymbolicLink(link).toString().replaceAll("\\p{Cntrl}", "?");
    } catch (IOException e) {
      return "unknown, as " + e;
    } finally {
      release();
    }
  }

  /** The number, which means something only between {@link #acquire} and {@link #release}. */
  int number() {
    return number;
  }

  static boolean interrupted(long result) {
    return result == -Errno.EINTR.number();
  }

  private long pread(long offset, MemorySegment destination, long count) {
    acquire("pread");
    try {
      long done;
      do {
        done = Linux.calls().pread(number, destination, count, offset);
      } while (interrupted(done));
      return done >= 0 ? done : Linux.check(done, "pread", this);
    } finally {
      release();
    }
  }

  private long pwrite(long offset, MemorySegment source, long count) {
    acquire("pwrite");
    try {
      long done;
      do {
        done = Linux.calls().pwrite(number, source, count, offset);
      } while (interrupted(done));
      return done >= 0 ? done : Linux.check(done, "pwrite", this);
    } finally {
      release();
    }
  }

  private void transferred(String call, long offset, long wanted, long done) {
    if (done != wanted) {
      throw LinuxException.shortTransfer(call, toString(), offset, done, wanted);
    }
  }

  private int ioctlFailed(Ioctl request, int result) {
    throw new LinuxException("ioctl " + request.name(), toString(), -result);
  }

  private static void checkWidth(int width) {
    if (width != 1 && width != 2 && width != 4 && width != 8) {
      throw new IllegalArgumentException("width " + width + ": 1, 2, 4 or 8");
    }
  }
}
