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
   * @param interval how long to sleep between checks
   * @return whether it held
   */
  default boolean await(BooleanSupplier condition, Duration limit, Duration interval) {
    long deadline = nanoTime() + limit.toNanos();
    while (!condition.getAsBoolean()) {
      if (nanoTime() - deadline >= 0 || Thread.currentThread().isInterrupted()) {
        return condition.getAsBoolean();
      }
      sleep(interval);
    }
    return true;
  }
}
