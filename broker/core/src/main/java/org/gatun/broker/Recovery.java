package org.gatun.broker;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DetachListener.RecoveryStep;
import org.gatun.pci.PciException;

/**
 * Recovers a device that reported an error, with its guest's driver: as Linux does for its own
 * drivers ({@code Documentation/PCI/pci-error-recovery.rst}). VFIO tells nothing but that there was
 * an error, so the device is always reset. If the driver does not want, or takes too long, the
 * grant ends.
 */
final class Recovery {
  private static final System.Logger LOG = System.getLogger(Recovery.class.getName());

  private final Grant grant;
  private final GrantedDevice device;
  private final Duration limit;

  /** Errors that are not dealt with yet: those that arrive meanwhile count as one more. */
  private final AtomicInteger errors = new AtomicInteger();

  Recovery(Grant grant, GrantedDevice device, Duration limit) {
    this.grant = grant;
    this.device = device;
    this.limit = limit;
  }

  /** Starts it, on threads of its own; once more if it is running already. */
  void start() {
    if (errors.getAndIncrement() == 0) {
      thread("gatun recovery of " + device.name(), this::recover).start();
    }
  }

  private void recover() {
    int dealtWith;
    do {
      dealtWith = errors.get();
      if (!succeeds()) {
        LOG.log(Level.ERROR, "{0}: its guest did not recover it in {1}", device, limit);
        grant.revoke(Duration.ZERO);
        return;
      }
    } while (errors.addAndGet(-dealtWith) > 0);
  }

  private boolean succeeds() {
    AtomicBoolean recovered = new AtomicBoolean();
    // The driver's code may never return; the grant ends in time nevertheless.
    Thread steps =
        thread("gatun recovery steps of " + device.name(), () -> recovered.set(takeSteps()));
    steps.start();
    try {
      steps.join(limit);
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
    return recovered.get();
  }

  private boolean takeSteps() {
    List<DetachListener> listeners = device.listeners();
    try {
      if (listeners.isEmpty() || !all(listeners, RecoveryStep.DETECTED)) {
        return false;
      }
      device.busMaster(false);
      if (!all(listeners, RecoveryStep.MMIO_ENABLED)) {
        return false;
      }
      device.reset();
      return all(listeners, RecoveryStep.SLOT_RESET) && all(listeners, RecoveryStep.RESUME);
    } catch (PciException e) {
      LOG.log(Level.ERROR, "{0}: recovery failed: {1}", device, e.getMessage());
      return false;
    }
  }

  private static boolean all(List<DetachListener> listeners, RecoveryStep step) {
    return listeners.stream().allMatch(listener -> listener.recover(step));
  }

  private static Thread thread(String name, Runnable body) {
    return Thread.ofPlatform().daemon().name(name).unstarted(body);
  }
}
