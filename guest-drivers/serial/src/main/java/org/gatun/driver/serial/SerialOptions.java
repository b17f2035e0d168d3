package org.gatun.driver.serial;

import java.time.Duration;
import org.gatun.pci.TimeSource;

/**
 * How to drive a port. Start with {@link #defaults} and change what is needed.
 *
 * @param time clock and waits; that of the device's bus
 * @param completion how the driver learns that something was received
 * @param timeout how much longer than their time the transmitter may take for its characters; more
 *     than 0
 */
public record SerialOptions(
    TimeSource time, SerialFormat format, Completion completion, Duration timeout) {
  /**
   * @throws IllegalArgumentException if the time-out is not more than 0
   */
  public SerialOptions {
    if (!timeout.isPositive()) {
      throw new IllegalArgumentException("the time-out is more than 0, not " + timeout);
    }
  }

  /** The machine's time, {@link SerialFormat#DEFAULT}, polling, and 1 s more. */
  public static SerialOptions defaults() {
    return new SerialOptions(
        TimeSource.system(), SerialFormat.DEFAULT, Completion.POLL, Duration.ofSeconds(1));
  }

  /** These, with another clock. */
  public SerialOptions withTime(TimeSource value) {
    return new SerialOptions(value, format, completion, timeout);
  }

  /** These, with another format. */
  public SerialOptions withFormat(SerialFormat value) {
    return new SerialOptions(time, value, completion, timeout);
  }

  /** These, with another way to learn of what was received. */
  public SerialOptions withCompletion(Completion value) {
    return new SerialOptions(time, format, value, timeout);
  }

  /** These, with another time-out. */
  public SerialOptions withTimeout(Duration value) {
    return new SerialOptions(time, format, completion, value);
  }
}
