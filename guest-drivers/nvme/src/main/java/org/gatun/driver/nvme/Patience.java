package org.gatun.driver.nvme;

import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.gatun.pci.TimeSource;

/** Waits for a device, off the data path. */
final class Patience {
  private static final int SPINS = 1000;
  private static final Duration INTERVAL = Duration.ofNanos(50_000);

  /** A wait that goes on for longer is looked at less often: a thousandth of what has passed. */
  private static final int SHARE = 1000;

  private Patience() {}

  /**
   * Waits until a condition holds, first spinning, then in short sleeps. An interrupt of the thread
   * does not end the wait: a device that is in the middle of something can't be left alone.
   *
   * @param limit how long at most; the condition is checked once more at the end
   * @return whether it held
   */
  static boolean await(TimeSource time, Duration limit, BooleanSupplier condition) {
    long start = time.nanoTime();
    long deadline = start + TimeSource.saturatedNanos(limit);
    for (int turn = 0; !condition.getAsBoolean(); turn++) {
      if (time.nanoTime() - deadline >= 0) {
        return condition.getAsBoolean();
      }
      if (turn < SPINS) {
        time.spin();
      } else {
        long share = (time.nanoTime() - start) / SHARE;
        time.sleep(share < INTERVAL.toNanos() ? INTERVAL : Duration.ofNanos(share));
      }
    }
    return true;
  }
}
