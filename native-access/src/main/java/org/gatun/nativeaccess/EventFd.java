package org.gatun.nativeaccess;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;

/**
 * An eventfd: a counter in the kernel that one side adds to and the other takes from, and waits
 * for. The kernel is either side: it signals interrupts by it, and takes an INTx unmask from it.
 *
 * <p><b>Threads.</b> All methods may be called from any thread. Signals that come before anyone
 * waits are not lost. What is written to memory before {@link #signal} is seen after the {@link
 * #take} or {@link #await} that takes the signal. Closing wakes those who wait, with {@link
 * ClosedDescriptorException}. Waiting blocks in the kernel: do it on a platform thread; {@link
 * Thread#interrupt} does not end it, {@link #signal} and {@link #close} do.
 *
 * <p>{@link #signal}, {@link #take} and {@link #await} allocate nothing and take no lock.
 */
public final class EventFd implements AutoCloseable {
  private static final MemorySegment ONE = one();

  /** What {@link Fd#kind} says of one. */
  private static final String KIND = "anon_inode:[eventfd]";

  private final Fd fd;

  /** Whether closing wakes those who wait, by a signal. */
  private final boolean wakes;

  private EventFd(Fd fd, boolean wakes) {
    this.fd = fd;
    this.wakes = wakes;
  }

  /**
   * Creates one, its counter at 0.
   *
   * @param description what it signals, for messages
   */
  public static EventFd create(String description) {
    int number = Linux.calls().eventfd(Abi.EFD_CLOEXEC | Abi.EFD_NONBLOCK);
    Linux.check(number, "eventfd", description);
    // A signal is what wakes the waiters, who then see that it is closed. If the descriptor is
    // shared, the other side may
    // see one signal too many, at the end.
    return new EventFd(
        new Fd(number, description, open -> Linux.calls().write(open, ONE, Long.BYTES)), true);
  }

  /**
   * Takes over the descriptor of an eventfd that somebody else made: one that a peer sent.
   *
   * <p>The other side may go on using it, and decides how it behaves, so it differs in this from
   * one that was made here. Closing it does not signal it, and so wakes nobody. If it blocks, which
   * the other side can change at any time, {@link #signal} blocks while the counter is full, and
   * {@link #take} while it is 0: call them on a thread that serves this peer alone. If it is a
   * semaphore, {@link #take} takes 1.
   *
   * @throws WrongDescriptorException if it is something else; then it stays the caller's, open
   */
  public static EventFd of(Fd fd) {
    // By name: any other question might be put to a file system, which might be the peer's.
    if (!fd.kind().equals(KIND)) {
      throw new WrongDescriptorException("an eventfd", fd);
    }
    return new EventFd(fd, false);
  }

  /** The descriptor, to give to the kernel; it stays this object's. */
  public Fd fd() {
    return fd;
  }

  /** Adds 1 to the counter. Never blocks: a counter that is full is signalled already. */
  public void signal() {
    int number = fd.acquire("signal");
    try {
      long result;
      do {
        result = Linux.calls().write(number, ONE, Long.BYTES);
      } while (Fd.interrupted(result));
      if (result != -Errno.EAGAIN.number()) {
        Linux.check(result, "write", fd);
      }
    } finally {
      fd.release();
    }
  }

  /**
   * Takes the counter, and leaves it at 0: the number of signals since it was last taken. Never
   * blocks.
   */
  public long take() {
    int number = fd.acquire("take");
    try {
      return take(number);
    } finally {
      fd.release();
    }
  }

  /**
   * Waits for a signal, and takes the counter.
   *
   * @param limit how long at most; zero and less is {@link #take}
   * @return the number of signals; 0 if there was none in that time
   * @throws ClosedDescriptorException if it is closed, before or meanwhile
   */
  public long await(Duration limit) {
    int number = fd.acquire("await");
    try {
      Scratch scratch = Scratch.ofThread();
      long nanos = nanos(limit);
      long start = System.nanoTime();
      long left = nanos;
      do {
        scratch.pollFd.set(JAVA_INT, Abi.POLLFD_FD, number);
        scratch.pollFd.set(JAVA_SHORT, Abi.POLLFD_EVENTS, Abi.POLLIN);
        setTimeout(scratch.timespec, left);
        long ready = Linux.calls().ppoll(scratch.pollFd, 1, scratch.timespec);
        if (!Fd.interrupted(ready)) {
          Linux.check(ready, "ppoll", fd);
        }
        // 0 as well if another thread took it first: then there may be time left to wait for the
        // next.
        long taken = take(number);
        if (taken != 0) {
          return taken;
        }
        left = nanos - (System.nanoTime() - start);
      } while (left > 0);
      return 0;
    } finally {
      fd.release();
    }
  }

  /**
   * Waits until one of several is signalled, and takes nothing. To be able to wake the waiter, have
   * an event of your own among them.
   *
   * @return the index of the first that is signalled; empty if none was in that time
   * @throws ClosedDescriptorException if one is closed, before or meanwhile
   */
  public static OptionalInt awaitAny(List<EventFd> events, Duration limit) {
    return Fd.awaitReadable(events.stream().map(EventFd::fd).toList(), limit);
  }

  /** Closes it and wakes those who wait, if it was made here. Does nothing the second time. */
  @Override
  public void close() {
    fd.close();
  }

  @Override
  public String toString() {
    return fd.toString();
  }

  private long take(int number) {
    MemorySegment value = Scratch.ofThread().value;
    long result;
    do {
      result = Linux.calls().read(number, value, Long.BYTES);
    } while (Fd.interrupted(result));
    if (fd.isClosed()) {
      // What was read may have been the signal that wakes the waiters: pass it on to the next.
      if (wakes) {
        Linux.calls().write(number, ONE, Long.BYTES);
      }
      throw new ClosedDescriptorException("await", fd);
    }
    if (result == -Errno.EAGAIN.number()) {
      return 0;
    }
    Linux.check(result, "read", fd);
    return value.get(JAVA_LONG, 0);
  }

  static long nanos(Duration limit) {
    // Unlike toNanos, this saturates.
    return Math.max(0, TimeUnit.NANOSECONDS.convert(limit));
  }

  static void setTimeout(MemorySegment timespec, long nanos) {
    long positive = Math.max(0, nanos);
    long second = TimeUnit.SECONDS.toNanos(1);
    timespec.set(JAVA_LONG, Abi.TIMESPEC_SEC, positive / second);
    timespec.set(JAVA_LONG, Abi.TIMESPEC_NSEC, positive % second);
  }

  private static MemorySegment one() {
    MemorySegment one = Arena.global().allocate(JAVA_LONG);
    one.set(JAVA_LONG, 0, 1);
    return one.asReadOnly();
  }
}
