package org.gatun.cli;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The wish that the process ends (SIGINT, SIGTERM), during one run of the command line. The JVM
 * ends when its shutdown hooks have: ours keeps it waiting until the command, which goes on
 * meanwhile, has let go of its devices and has said so. Any thread.
 */
final class Interruption implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(Interruption.class.getName());

  /** How long a command may take to its next look; from then on it counts as stuck. */
  private static final Duration PATIENCE = Duration.ofSeconds(2);

  private final CountDownLatch ended = new CountDownLatch(1);
  private final CountDownLatch requested = new CountDownLatch(1);
  private @Nullable Thread hook;
  private volatile @Nullable Runnable abandon;

  /**
   * From now on, and until the run is over, the process does not end before what the command has
   * open is closed.
   *
   * @param letGo closes it for a command that is stuck: called from another thread
   * @throws IllegalStateException if the process is ending already
   */
  synchronized void guard(Runnable letGo) {
    abandon = letGo;
    if (hook == null) {
      Thread thread = new Thread(this::letGo, "gatun interrupted");
      Runtime.getRuntime().addShutdownHook(thread);
      hook = thread;
    }
  }

  boolean isRequested() {
    return requested.getCount() == 0;
  }

  /** Waits until the process is told to end. */
  void await() {
    try {
      requested.await();
    } catch (InterruptedException _) {
      // Told by the one who runs this thread, then.
      Thread.currentThread().interrupt();
    }
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
    requested.countDown();
    try {
      if (!ended.await(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
        Runnable last = abandon; // now: the command has gone on meanwhile
        if (last != null) {
          last.run();
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      LOG.log(Level.ERROR, "letting go of a device: " + e.getMessage(), e);
    }
  }
}
