package org.gatun.vfiouser.server;

import java.util.OptionalDouble;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.gatun.nativeaccess.ProcessControl;

/**
 * How much processor time is spent on one client: a share of a processor, and ahead of that a
 * little at once. A message of a few bytes can ask for much work, so that time is what is counted.
 * Who has overdrawn it pauses. Each thread that works for the client has a {@link Meter}.
 */
final class Budget implements AutoCloseable {
  /** Ahead, in nanoseconds: more than a client needs to set itself up. */
  private static final long AHEAD = 200_000_000;

  /** How often a thread looks at its clock of processor time, which is a system call. */
  private static final long LOOK = 1_000_000;

  private final OptionalDouble share;
  private final CountDownLatch closed = new CountDownLatch(1);

  /** In nanoseconds of processor time. Guarded by this, as what follows. */
  private double left = AHEAD;

  private long refilled = System.nanoTime();

  /**
   * @param share of one processor; empty if it does not matter
   */
  Budget(OptionalDouble share) {
    this.share = share;
  }

  /** Who pauses pauses no longer. */
  @Override
  public void close() {
    closed.countDown();
  }

  /** Counts what a thread spends. For that thread alone. */
  final class Meter {
    private boolean begun;
    private long looked;
    private long spent;

    /** To be called after each piece of work: pauses, if too much was spent. */
    void pauseIfOverdrawn() {
      if (share.isEmpty()) {
        return;
      }
      long now = System.nanoTime();
      if (begun && now - looked < LOOK) {
        return;
      }
      long total = ProcessControl.threadProcessorTime();
      long nanos = begun ? take(total - spent, now) : 0;
      begun = true;
      looked = now;
      spent = total;
      if (nanos > 0) {
        pause(nanos);
      }
    }
  }

  /** Takes what was spent, and returns how long to pause for that, in nanoseconds. */
  private synchronized long take(long spent, long now) {
    double rate = share.getAsDouble();
    left = Math.min(AHEAD, left + rate * (now - refilled)) - spent;
    refilled = now;
    return left < 0 ? (long) (-left / rate) : 0;
  }

  private void pause(long nanos) {
    try {
      closed.await(nanos, TimeUnit.NANOSECONDS);
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }
}
