package org.gatun.simulated;

import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.gatun.pci.TimeSource;

/** The time of a bus, and what is to happen in it. */
abstract sealed class BusTime implements TimeSource, AutoCloseable permits RealTime, VirtualTime {
  /** The longest time, in nanoseconds: it can be added to a clock's reading. */
  static final long LONGEST = Long.MAX_VALUE / 4;

  /** Runs an action later; after close, never. */
  abstract void schedule(long delayNanos, Runnable action);

  /**
   * Waits until a condition holds.
   *
   * @param monitor notified when the condition may have changed; held when it is asked for
   * @return false if it did not hold in time, or if the thread was interrupted (its flag stays set)
   */
  abstract boolean await(Object monitor, BooleanSupplier condition, long limitNanos);

  /** Drops what is scheduled, and ends threads. */
  @Override
  public abstract void close();

  /** Nanoseconds, as many as can be added to a clock's reading without an overflow. */
  static long nanos(Duration duration) {
    return duration.compareTo(Duration.ofNanos(LONGEST)) < 0 ? duration.toNanos() : LONGEST;
  }
}
