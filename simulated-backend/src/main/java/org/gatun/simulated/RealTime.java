package org.gatun.simulated;

import java.time.Duration;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.gatun.pci.TimeSource;

/** The time of this machine. One thread runs what is scheduled; it starts with the first use. */
final class RealTime extends BusTime {
  private static final System.Logger LOG = System.getLogger(RealTime.class.getName());

  private final TimeSource system = TimeSource.system();
  private final ScheduledThreadPoolExecutor scheduler =
      new ScheduledThreadPoolExecutor(
          1,
          task -> {
            Thread thread = new Thread(task, "simulated-bus");
            thread.setDaemon(true);
            return thread;
          },
          new ThreadPoolExecutor.DiscardPolicy());

  RealTime() {
    scheduler.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
  }

  @Override
  public long nanoTime() {
    return system.nanoTime();
  }

  @Override
  public void sleep(Duration duration) {
    system.sleep(duration);
  }

  @Override
  public void spin() {
    system.spin();
  }

  @Override
  void schedule(long delayNanos, Runnable action) {
    var _ = scheduler.schedule(() -> run(action), delayNanos, TimeUnit.NANOSECONDS);
  }

  @Override
  boolean await(Object monitor, BooleanSupplier condition, long limitNanos) {
    long deadline = nanoTime() + limitNanos;
    synchronized (monitor) {
      while (!condition.getAsBoolean()) {
        long left = deadline - nanoTime();
        if (left <= 0) {
          return false;
        }
        try {
          TimeUnit.NANOSECONDS.timedWait(monitor, left);
        } catch (InterruptedException _) {
          Thread.currentThread().interrupt();
          return condition.getAsBoolean();
        }
      }
      return true;
    }
  }

  @Override
  public void close() {
    scheduler.shutdownNow();
  }

  private static void run(Runnable action) {
    try {
      action.run();
    } catch (RuntimeException | Error e) {
      // Nobody else would hear of it: the executor keeps it in a future that nobody asks.
      LOG.log(System.Logger.Level.ERROR, "a device model failed", e);
    }
  }
}
