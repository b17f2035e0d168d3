package org.gatun.driver.edu;

import java.time.Duration;
import org.gatun.pci.TimeSource;

/**
 * How to drive the device. Start with {@link #defaults} and change what is needed.
 *
 * @param time clock and waits; that of the device's bus
 * @param completion how the driver learns that the device is done
 * @param timeout how long the device may take for one operation; more than 0. Seen late, never
 *     early
 */
public record EduOptions(TimeSource time, Completion completion, Duration timeout) {
  /**
   * @throws IllegalArgumentException if the time-out is not more than 0
   */
  public EduOptions {
    if (!timeout.isPositive()) {
      throw new IllegalArgumentException("the time-out is more than 0, not " + timeout);
    }
  }

  /**
   * The machine's time, polling, 10 s: the specification names no limit, and QEMU waits 100 ms
   * before each DMA transfer.
   */
  public static EduOptions defaults() {
    return new EduOptions(TimeSource.system(), Completion.POLL, Duration.ofSeconds(10));
  }

  /** These, with another clock. */
  public EduOptions withTime(TimeSource value) {
    return new EduOptions(value, completion, timeout);
  }

  /** These, with another way to learn that the device is done. */
  public EduOptions withCompletion(Completion value) {
    return new EduOptions(time, value, timeout);
  }

  /** These, with another time-out. */
  public EduOptions withTimeout(Duration value) {
    return new EduOptions(time, completion, value);
  }
}
