package org.gatun.pci;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/** The time of this machine. */
enum SystemTime implements TimeSource {
  INSTANCE;

  @Override
  public long nanoTime() {
    return System.nanoTime();
  }

  @Override
  public void sleep(Duration duration) {
    long deadline = System.nanoTime() + TimeSource.saturatedNanos(duration);
    long left = deadline - System.nanoTime();
    while (left > 0 && !Thread.currentThread().isInterrupted()) {
      LockSupport.parkNanos(this, left);
      left = deadline - System.nanoTime();
    }
  }

  @Override
  public void spin() {
    Thread.onSpinWait();
  }
}
