package org.gatun.driver.virtio;

import java.time.Duration;
import org.gatun.pci.TimeSource;

/**
 * How to drive a device. Start with {@link #defaults} and change what is needed.
 *
 * @param time clock and waits; that of the device's bus
 * @param completion how the driver learns that the device is done
 * @param timeout how long the device may take for a request, or for a reset; more than 0. Seen
 *     late, never early
 * @param queueSize the most entries of a queue, a power of two from 2 to 32768, and from 4 on for a
 *     disk; fewer if the device has fewer
 */
public record VirtioOptions(
    TimeSource time, Completion completion, Duration timeout, int queueSize) {
  /**
   * @throws IllegalArgumentException if a part breaks its rule
   */
  public VirtioOptions {
    if (!timeout.isPositive()) {
      throw new IllegalArgumentException("the time-out is more than 0, not " + timeout);
    }
    if (queueSize < 2 || queueSize > 1 << 15 || Integer.bitCount(queueSize) != 1) {
      throw new IllegalArgumentException("a queue has 2, 4, 8 ... 32768 entries, not " + queueSize);
    }
  }

  /** The machine's time, polling, 30 s as Linux gives a disk, 256 entries. */
  public static VirtioOptions defaults() {
    return new VirtioOptions(TimeSource.system(), Completion.POLL, Duration.ofSeconds(30), 256);
  }

  /** These, with another clock. */
  public VirtioOptions withTime(TimeSource value) {
    return new VirtioOptions(value, completion, timeout, queueSize);
  }

  /** These, with another way to learn that the device is done. */
  public VirtioOptions withCompletion(Completion value) {
    return new VirtioOptions(time, value, timeout, queueSize);
  }

  /** These, with another time-out. */
  public VirtioOptions withTimeout(Duration value) {
    return new VirtioOptions(time, completion, value, queueSize);
  }

  /** These, with another number of entries. */
  public VirtioOptions withQueueSize(int value) {
    return new VirtioOptions(time, completion, timeout, value);
  }
}
