package org.gatun.cli;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The wish that the process ends (SIGINT, SIGTERM), during one run of the command line. The JVM
 * ends when its shutdown hooks have: ours keeps it waiting until the command, which goes on
 * meanwhile, has let go of its device and has said so. Any thread.
 */
final class Interruption implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(Interruption.class.getName());

  /** How long a command may take to its next look; from then on it counts as stuck. */
  private static final Duration PATIENCE = Duration.ofSeconds(2);

  private final CountDownLatch ended = new CountDownLatch(1);
  private @Nullable Thread hook;
  private volatile @Nullable HeldDevice held;
  private volatile boolean requested;

  /**
   * From now on, and until the run is over, the process does not end without that device being
   * closed.
   *
   * @throws IllegalStateException if the process is ending already
   */
  synchronized void guard(HeldDevice device) {
    held = device;
    if (hook == null) {
      Thread thread = new Thread(this::letGo, "gatun interrupted");
      Runtime.getRuntime().addShutdownHook(thread);
      hook = thread;
    }
  }

  boolean isRequested() {
    return requested;
  }

  /** The run is over, and has printed what it had to. */
  @Override
  public synchronized void close() {
    ended.countDown();
    Thread thread = hook;
    if (thread != null) {
      try {
        Runtime.getRuntime().removeShutdownHook(thread);
      } catch (IllegalStateException e) {
        LOG.log(Level.TRACE, "the JVM is shutting down, so the hook stays");
      }
    }
  }

  private void letGo() {
    requested = true;
    HeldDevice device = held;
    try {
      if (!ended.await(PATIENCE.toMillis(), TimeUnit.MILLISECONDS) && device != null) {
        device.abandon();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      LOG.log(Level.ERROR, "letting go of a device: " + e.getMessage(), e);
    }
  }
}
