package org.gatun.vfio.common;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Consumer;
import org.gatun.nativeaccess.ClosedDescriptorException;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.jspecify.annotations.Nullable;

/**
 * Hears that the kernel wants a device back (its request interrupt), or that the device reported an
 * error that is not correctable (its error interrupt), and tells the listeners: on one thread for
 * each device.
 */
public final class DetachWatcher {
  private static final System.Logger LOG = System.getLogger(DetachWatcher.class.getName());

  /**
   * What listeners are told. The kernel takes nothing by force: it asks again in intervals of 10 s,
   * and whoever unbinds the driver waits.
   */
  private static final Duration DEADLINE = Duration.ofSeconds(10);

  private static final Duration FOREVER = Duration.ofNanos(Long.MAX_VALUE);
  private static final Duration JOIN_LIMIT = Duration.ofSeconds(5);

  private final DeviceName device;
  private final Irqs irqs;
  private final List<Source> sources = new ArrayList<>();
  private final List<DetachListener> listeners = new ArrayList<>();

  /** Who was asked already: the kernel repeats the question. */
  private final Set<DetachListener> asked = new HashSet<>();

  /** What became of the device, for those who listen later. Guarded by the listeners. */
  private @Nullable String goneBecause;

  private final Thread thread;

  private volatile @Nullable Runnable recovery;

  private record Source(int index, EventFd event, Runnable action) {}

  private DetachWatcher(DeviceName device, Irqs irqs) {
    this.device = device;
    this.irqs = irqs;
    this.thread = Thread.ofPlatform().daemon().name("gatun detach " + device).unstarted(this::run);
  }

  /** Watches a device. A device without these interrupts is never heard of. */
  public static DetachWatcher start(DeviceName device, Irqs irqs) {
    DetachWatcher watcher = new DetachWatcher(device, irqs);
    boolean done = false;
    try {
      watcher.listenTo(Vfio.PCI_REQ_IRQ_INDEX, "device request", watcher::requested);
      watcher.listenTo(Vfio.PCI_ERR_IRQ_INDEX, "error", watcher::failed);
      done = true;
    } finally {
      if (!done) {
        watcher.disarm();
      }
    }
    if (!watcher.sources.isEmpty()) {
      watcher.thread.start();
    }
    return watcher;
  }

  /** From now on errors are for the owner to deal with, on the thread of this. */
  public void recoverBy(Runnable owners) {
    recovery = owners;
  }

  /** From now on it hears of the going; at once, on the calling thread, if that was before. */
  public void add(DetachListener listener) {
    String cause;
    synchronized (listeners) {
      listeners.add(listener);
      cause = goneBecause;
    }
    if (cause != null) {
      tell(List.of(listener), l -> l.gone(cause));
    }
  }

  /** Lets the thread end, while the device is still open. */
  public void disarm() {
    for (Source source : sources) {
      try {
        irqs.disable(source.index);
      } catch (LinuxException | DeviceGoneException e) {
        LOG.log(Level.DEBUG, device + ": " + e.getMessage());
      }
      source.event.close();
    }
  }

  /** Waits for the thread to end, unless this is it, or a listener keeps it. */
  public void join() {
    if (Thread.currentThread().equals(thread) || sources.isEmpty()) {
      return;
    }
    boolean interrupted = false;
    try {
      if (!thread.join(JOIN_LIMIT)) {
        LOG.log(Level.WARNING, device + ": a detach listener does not return");
      }
    } catch (InterruptedException e) {
      interrupted = true;
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void listenTo(int index, String what, Runnable action) {
    if (irqs.count(index) == 0) {
      return;
    }
    EventFd event = irqs.newEvent(device + " " + what);
    boolean connected = false;
    try {
      irqs.connect(index, 0, List.of(event.fd()));
      sources.add(new Source(index, event, action));
      connected = true;
    } finally {
      if (!connected) {
        event.close();
      }
    }
  }

  private void run() {
    List<EventFd> events = sources.stream().map(Source::event).toList();
    try {
      while (true) {
        OptionalInt signalled = EventFd.awaitAny(events, FOREVER);
        if (signalled.isPresent()) {
          Source source = sources.get(signalled.getAsInt());
          if (source.event.take() != 0) {
            source.action.run();
          }
        }
      }
    } catch (ClosedDescriptorException e) {
      LOG.log(Level.TRACE, () -> device + ": its owner closed it");
    } catch (LinuxException e) {
      LOG.log(Level.ERROR, device + ": no longer hears of its removal: " + e.getMessage(), e);
    }
  }

  /**
   * Asks the listeners that were not asked before, on the calling thread.
   *
   * @return whether there are any at all
   */
  public boolean requestBack(Duration deadline) {
    List<DetachListener> toAsk;
    synchronized (listeners) {
      if (listeners.isEmpty()) {
        return false;
      }
      toAsk = listeners.stream().filter(asked::add).toList();
    }
    tell(toAsk, listener -> listener.requested(deadline));
    return true;
  }

  private void requested() {
    if (!requestBack(DEADLINE)) {
      LOG.log(
          Level.WARNING,
          device + ": the kernel wants it back, and nobody listens: close it, or end this process");
    }
  }

  /** Tells the listeners that it is gone, on the calling thread. */
  public void gone(String cause) {
    List<DetachListener> all;
    synchronized (listeners) {
      goneBecause = cause;
      all = List.copyOf(listeners);
    }
    tell(all, listener -> listener.gone(cause));
  }

  private void failed() {
    LOG.log(Level.ERROR, device + ": reported an uncorrectable error");
    Runnable owners = recovery;
    if (owners != null) {
      owners.run();
      return;
    }
    gone("it reported an uncorrectable PCI Express error");
  }

  private void tell(List<DetachListener> toTell, Consumer<DetachListener> message) {
    for (DetachListener listener : toTell) {
      try {
        message.accept(listener);
      } catch (RuntimeException e) {
        LOG.log(Level.ERROR, device + ": a detach listener failed: " + e, e);
      }
    }
  }
}
