package org.gatun.vfio;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.gatun.pci.ShutdownException;
import org.jspecify.annotations.Nullable;

/**
 * The devices that are open in this process, to be closed in the right order when the JVM shuts
 * down: those whose owner listens are asked for first, so that it can shut them down in its own way
 * (a disk writes its cache), and taken after a while. There is a shutdown hook as long as there is
 * a device.
 */
final class OpenDevices {
  private static final System.Logger LOG = System.getLogger(OpenDevices.class.getName());
  private static final Set<HostDevice> DEVICES = new HashSet<>();

  /** As long as most disks ask for to shut down, and a little less than containers are given. */
  private static final Duration GRACE = Duration.ofSeconds(8);

  private static @Nullable Thread hook;
  private static boolean shuttingDown;

  private OpenDevices() {}

  /**
   * @throws ShutdownException if the JVM is shutting down
   */
  static void add(HostDevice device) {
    synchronized (DEVICES) {
      if (shuttingDown) {
        // The hook has seen all that it will close.
        throw new ShutdownException(device.name());
      }
      if (hook == null) {
        Thread thread = new Thread(OpenDevices::closeAll, "gatun shutdown");
        Runtime.getRuntime().addShutdownHook(thread);
        hook = thread;
      }
      DEVICES.add(device);
    }
  }

  static void remove(HostDevice device) {
    synchronized (DEVICES) {
      DEVICES.remove(device);
      DEVICES.notifyAll();
      Thread thread = hook;
      if (DEVICES.isEmpty() && thread != null) {
        try {
          Runtime.getRuntime().removeShutdownHook(thread);
          hook = null;
        } catch (IllegalStateException e) {
          LOG.log(Level.TRACE, "the JVM is shutting down, so the hook stays");
        }
      }
    }
  }

  /** Waits for owners to close what they were asked for: for as long as they were told. */
  private static void awaitClosed(List<HostDevice> asked) {
    long deadline = System.nanoTime() + GRACE.toNanos();
    synchronized (DEVICES) {
      while (!Collections.disjoint(DEVICES, asked)) {
        long left = deadline - System.nanoTime();
        if (left <= 0) {
          LOG.log(Level.WARNING, "owners were asked for their devices, and did not close them");
          return;
        }
        try {
          TimeUnit.NANOSECONDS.timedWait(DEVICES, left);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          return;
        }
      }
    }
  }

  private static void closeAll() {
    List<HostDevice> open;
    synchronized (DEVICES) {
      shuttingDown = true;
      open = new ArrayList<>(DEVICES);
    }
    awaitClosed(open.stream().filter(device -> device.requestBack(GRACE)).toList());
    for (HostDevice device : open) {
      try {
        device.close();
      } catch (RuntimeException e) {
        LOG.log(Level.ERROR, device.name() + ": closing it at shutdown failed", e);
      }
    }
  }
}
