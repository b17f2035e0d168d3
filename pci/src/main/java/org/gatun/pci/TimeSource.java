package org.gatun.pci;

import java.time.Duration;
import java.util.function.BooleanSupplier;

/**
 * Clock and waits. A driver takes both from here, never from {@code System.nanoTime} or {@code
 * Thread.sleep}, so that it runs unchanged on a simulated bus with virtual time. Any thread.
 */
public interface TimeSource {
  /** The time of this machine. */
  static TimeSource system() {
    return SystemTime.INSTANCE;
  }

  /** Nanoseconds since some moment; differences count, as with {@link System#nanoTime}. */
  long nanoTime();

  /**
   * Lets that much time pass, or less if the thread is interrupted (its flag stays set).
   *
   * @param duration zero or more
   */
  void sleep(Duration duration);

  /**
   * To be called in each turn of a loop that polls a device. Allocates nothing. Real time gives the
   * processor a hint; virtual time moves on.
   */
  void spin();

  /**
   * Polls until a condition holds.
   *
   * @param limit how long at most; the condition is checked once more at the end
   * @param interval how long to sleep between checks, more than zero; less at the end
   * @return whether it held; false too if the thread was interrupted (its flag stays set)
   * @throws IllegalArgumentException if the interval is not more than zero: virtual time would
   *     stand still
   */
  default boolean await(BooleanSupplier condition, Duration limit, Duration interval) {
    if (!interval.isPositive()) {
      throw new IllegalArgumentException("an interval is more than zero, not " + interval);
    }
    long deadline = nanoTime() + saturatedNanos(limit);
    while (!condition.getAsBoolean()) {
      long left = deadline - nanoTime();
      if (left <= 0 || Thread.currentThread().isInterrupted()) {
        return condition.getAsBoolean();
      }
      sleep(interval.compareTo(Duration.ofNanos(left)) < 0 ? interval : Duration.ofNanos(left));
    }
    return true;
  }

  /**
   * For implementations: a duration in nanoseconds, where those that don't fit 64 bits (292 years)
   * stand for "forever".
   */
  static long saturatedNanos(Duration duration) {
    return duration.compareTo(Duration.ofNanos(Long.MAX_VALUE)) < 0
        ? duration.toNanos()
        : Long.MAX_VALUE;
  }
}
