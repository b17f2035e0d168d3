package org.gatun.broker;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.StampedLock;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;

/**
 * Lets calls of a guest through to its device from when it is opened until it is shut, and knows
 * when the last of them has come back: a call that was let in before may not reach a device that
 * somebody else has by then. Mapped registers and DMA memory need no gate: they end with their
 * mappings.
 *
 * <p>Any thread. Entering allocates nothing.
 */
final class Gate {
  private final DeviceName device;
  private final StampedLock lock = new StampedLock();
  private volatile boolean opened;
  private volatile boolean shut;

  Gate(DeviceName device) {
    this.device = device;
  }

  /** From now on calls are let in. */
  void open() {
    opened = true;
  }

  /**
   * To be followed by {@link #leave}.
   *
   * @throws DeviceGoneException if it is shut
   * @throws IllegalStateException if it was never opened
   */
  long enter(String operation) {
    check(operation);
    long stamp = lock.readLock();
    if (shut) {
      lock.unlockRead(stamp);
      throw gone(operation);
    }
    return stamp;
  }

  void leave(long stamp) {
    lock.unlockRead(stamp);
  }

  /**
   * @throws DeviceGoneException if it is shut
   * @throws IllegalStateException if it was never opened
   */
  void check(String operation) {
    if (shut) {
      throw gone(operation);
    }
    if (!opened) {
      throw new IllegalStateException(device + ": " + operation + ": its guest connects first");
    }
  }

  boolean isShut() {
    return shut;
  }

  /**
   * Lets no more calls in, and waits for those inside.
   *
   * @return whether they all came back; if not, one is stuck, and ends when its device is closed
   */
  boolean shut(Duration limit) {
    shut = true;
    try {
      long stamp = lock.tryWriteLock(limit.toNanos(), TimeUnit.NANOSECONDS);
      if (stamp == 0) {
        return false;
      }
      lock.unlockWrite(stamp);
      return true;
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private DeviceGoneException gone(String operation) {
    return new DeviceGoneException(device, operation, null);
  }
}
