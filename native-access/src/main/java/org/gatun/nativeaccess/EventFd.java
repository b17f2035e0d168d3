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
import java.util.stream.Stream;

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

  /** For what has no position. */
  private static final long NO_OFFSET = -1;

  /** What {@link Fd#kind} says of one. */
  private static final String KIND = "anon_inode:[eventfd]";

  private final Fd fd;

  /**
   * What is signalled here: as {@link #fd}, unless that is shared with somebody who may fill it.
   */
  private final Fd signals;

  private EventFd(Fd fd, Fd signals) {
    this.fd = fd;
    this.signals = signals;
  }

  /**
   * Creates one, its counter at 0.
   *
   * @param description what it signals, for messages
   */
  public static EventFd create(String description) {
    Fd fd = open(description);
    return new EventFd(fd, fd);
  }

  /**
   * Creates one whose descriptor is for somebody who is not trusted to leave its flags and its
   * counter alone. To him it is an eventfd like any other, but what is signalled here does not go
   * through it: nothing that he does to it blocks anybody here. It costs two descriptors.
   *
   * @param description what it signals, for messages
   */
  public static EventFd createToShare(String description) {
    Fd shared = open(description);
    boolean done = false;
    try {
      EventFd event = new EventFd(shared, open(description + ", inside"));
      done = true;
      return event;
    } finally {
      if (!done) {
        shared.close();
      }
    }
  }

  /**
   * As {@link #createToShare}, with an eventfd that this process was started with.
   *
   * @param shared is taken over
   * @throws WrongDescriptorException if it is something else; then it stays the caller's, open
   */
  public static EventFd shared(Fd shared) {
    if (!shared.kind().equals(KIND)) {
      throw new WrongDescriptorException("an eventfd", shared);
    }
    return new EventFd(shared, open(shared + ", inside"));
  }

  /**
   * Takes over the descriptor of an eventfd that somebody else made: one that a peer sent.
   *
   * <p>The other side may go on using it, and decides how it behaves, so it differs in this from
   * one that was made here. Closing it does not signal it, and so wakes nobody. If it blocks, which
   * the other side can change at any time, {@link #signal} blocks while the counter is full: call
   * it on a thread that serves this peer alone. If it is a semaphore, {@link #take} takes 1.
   *
   * @throws WrongDescriptorException if it is something else; then it stays the caller's, open
   */
  public static EventFd of(Fd fd) {
    // By name: any other question might be put to a file system, which might be the peer's.
    if (!fd.kind().equals(KIND)) {
      throw new WrongDescriptorException("an eventfd", fd);
    }
    return new EventFd(fd, fd);
  }

  /** A signal is what wakes the waiters when it is closed, who then see that. */
  private static Fd open(String description) {
    int number = Linux.calls().eventfd(Abi.EFD_CLOEXEC | Abi.EFD_NONBLOCK);
    Linux.check(number, "eventfd", description);
    return new Fd(number, description, EventFd::wake);
  }

  private static void wake(int number) {
    Linux.calls().write(number, ONE, Long.BYTES);
  }

  /** The descriptor, to give to the kernel or to a peer; it stays this object's. */
  public Fd fd() {
    return fd;
  }

  /**
   * Adds 1 to the counter. A counter that is full is signalled already: that blocks only if it is
   * {@linkplain #of of somebody else's}.
   */
  public void signal() {
    int number = signals.acquire("signal");
    try {
      long result;
      do {
        result = Linux.calls().write(number, ONE, Long.BYTES);
      } while (Fd.interrupted(result));
      if (result != -Errno.EAGAIN.number()) {
        Linux.check(result, "write", signals);
      }
    } finally {
      signals.release();
    }
  }

  /**
   * Takes the counter, and leaves it at 0: the number of signals since it was last taken. Never
   * blocks, whoever has the descriptor and whatever he does to it.
   */
  public long take() {
    acquire("take");
    try {
      return taken();
    } finally {
      release();
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
    acquire("await");
    try {
      Scratch scratch = Scratch.ofThread();
      long nanos = nanos(limit);
      long start = System.nanoTime();
      long left = nanos;
      int count = isShared() ? 2 : 1;
      do {
        setPollFd(scratch.pollFds, 0, fd);
        setPollFd(scratch.pollFds, 1, signals);
        setTimeout(scratch.timespec, left);
        long ready = Linux.calls().ppoll(scratch.pollFds, count, scratch.timespec);
        if (!Fd.interrupted(ready)) {
          Linux.check(ready, "ppoll", fd);
        }
        // 0 as well if another thread took it first: then there may be time left to wait for the
        // next.
        long taken = taken();
        if (taken != 0) {
          return taken;
        }
        left = nanos - (System.nanoTime() - start);
      } while (left > 0);
      return 0;
    } finally {
      release();
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
    // Those inside come after all of those that are given out.
    List<Fd> fds =
        Stream.concat(
                events.stream().map(event -> event.fd), events.stream().map(event -> event.signals))
            .toList();
    OptionalInt readable = Fd.awaitReadable(fds, limit);
    return readable.isEmpty() || events.isEmpty()
        ? readable
        : OptionalInt.of(readable.getAsInt() % events.size());
  }

  /** Closes it and wakes those who wait, if it was made here. Does nothing the second time. */
  @Override
  public void close() {
    if (isShared()) {
      fd.close(Fd.Wake.NONE);
    }
    signals.close();
  }

  @Override
  public String toString() {
    return fd.toString();
  }

  private boolean isShared() {
    return fd != signals;
  }

  private void acquire(String call) {
    fd.acquire(call);
    if (isShared()) {
      boolean both = false;
      try {
        signals.acquire(call);
        both = true;
      } finally {
        if (!both) {
          fd.release();
        }
      }
    }
  }

  private void release() {
    fd.release();
    if (isShared()) {
      signals.release();
    }
  }

  private static void setPollFd(MemorySegment pollFds, int index, Fd fd) {
    long at = index * Abi.POLLFD.byteSize();
    pollFds.set(JAVA_INT, at + Abi.POLLFD_FD, fd.number());
    pollFds.set(JAVA_SHORT, at + Abi.POLLFD_EVENTS, Abi.POLLIN);
  }

  private long taken() {
    long taken = taken(fd);
    if (isShared()) {
      taken += taken(signals);
    }
    if (signals.isClosed()) {
      // What was read may have been the signal that wakes the waiters: pass it on to the next.
      signals.wake();
      throw new ClosedDescriptorException("await", fd);
    }
    return taken;
  }

  private static long taken(Fd fd) {
    Scratch scratch = Scratch.ofThread();
    long result;
    do {
      // Unlike read(2) it does not block where O_NONBLOCK was cleared.
      result =
          Linux.calls().preadv2(fd.number(), scratch.valueVector, 1, NO_OFFSET, Abi.RWF_NOWAIT);
    } while (Fd.interrupted(result));
    if (result == -Errno.EAGAIN.number()) {
      return 0;
    }
    Linux.check(result, "read", fd);
    return scratch.value.get(JAVA_LONG, 0);
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
