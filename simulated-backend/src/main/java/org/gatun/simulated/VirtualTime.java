package org.gatun.simulated;

import java.time.Duration;
import java.util.Comparator;
import java.util.PriorityQueue;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Time that passes only when somebody waits: a sleep, a spin or a wait for an interrupt moves the
 * clock, and runs what becomes due on the way, in the order of the due times, and of scheduling
 * where these are equal. With one thread, two runs of a program see the same.
 */
final class VirtualTime extends BusTime {
  /** What a turn of a polling loop is taken to last. */
  private static final long SPIN_NANOS = 1_000;

  private record Scheduled(long due, long number, Runnable action) {}

  private final PriorityQueue<Scheduled> queue =
      new PriorityQueue<>(
          Comparator.comparingLong(Scheduled::due).thenComparingLong(Scheduled::number));
  private long now;
  private long scheduled;
  private boolean closed;

  @Override
  public synchronized long nanoTime() {
    return now;
  }

  @Override
  public void sleep(Duration duration) {
    if (!Thread.currentThread().isInterrupted()) {
      advanceTo(after(nanoTime(), nanos(duration)));
    }
  }

  @Override
  public void spin() {
    advanceTo(after(nanoTime(), SPIN_NANOS));
  }

  @Override
  synchronized void schedule(long delayNanos, Runnable action) {
    if (!closed) {
      queue.add(new Scheduled(after(now, delayNanos), scheduled++, action));
    }
  }

  @Override
  boolean await(Object monitor, BooleanSupplier condition, long limitNanos) {
    long deadline = after(nanoTime(), limitNanos);
    while (true) {
      synchronized (monitor) {
        if (condition.getAsBoolean()) {
          return true;
        }
      }
      if (nanoTime() >= deadline || Thread.currentThread().isInterrupted()) {
        return false;
      }
      advanceTo(Math.min(deadline, nextDue(deadline)));
    }
  }

  @Override
  public synchronized void close() {
    closed = true;
    queue.clear();
  }

  /** This clock starts at 0, and has an end, which nothing comes after. */
  private static long after(long start, long nanos) {
    return nanos > Long.MAX_VALUE - start ? Long.MAX_VALUE : start + nanos;
  }

  private synchronized long nextDue(long otherwise) {
    Scheduled next = queue.peek();
    return next == null ? otherwise : next.due;
  }

  private void advanceTo(long target) {
    for (Runnable action = nextUntil(target); action != null; action = nextUntil(target)) {
      action.run();
    }
  }

  private synchronized @Nullable Runnable nextUntil(long target) {
    Scheduled next = queue.peek();
    if (next == null || next.due > target) {
      now = Math.max(now, target);
      return null;
    }
    queue.remove();
    now = Math.max(now, next.due);
    return next.action;
  }
}
