package org.gatun.vfiouser.server;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import org.gatun.nativeaccess.ClosedDescriptorException;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.pci.Event;
import org.jspecify.annotations.Nullable;

/**
 * The eventfds of one client. Its flags are the client's as much as ours: one that is full, with
 * O_NONBLOCK cleared, blocks whoever writes to it, and an empty one whoever reads. So only a thread
 * that serves nobody but this client does either. The kernel, which a VFIO device's interrupts come
 * from, signals without blocking, and is given the eventfd itself.
 */
final class ClientEvents implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(ClientEvents.class.getName());
  private static final Duration FOREVER = Duration.ofNanos(Long.MAX_VALUE);
  private static final Duration JOIN = Duration.ofMillis(200);
  private static final Duration UNSTICKING = Duration.ofSeconds(10);
  private static final Duration PAUSE = Duration.ofMillis(10);

  private final String name;
  private final Budget.Meter meter;
  private final EventFd wake;
  private final Queue<ClientEvent> due = new ConcurrentLinkedQueue<>();

  /** What is done when the client signals; guarded by itself. */
  private final Map<EventFd, Runnable> watched = new LinkedHashMap<>();

  /** All that the client gave, and what was made for it; guarded by itself. */
  private final Set<EventFd> all = new LinkedHashSet<>();

  private final Thread thread;
  private @Nullable ClientEvent nobodys;
  private volatile boolean closed;

  ClientEvents(String name, Budget budget) {
    this.name = name;
    this.meter = budget.new Meter();
    this.wake = EventFd.create(name + " events");
    this.thread = Thread.ofPlatform().daemon().name("gatun events of " + name).start(this::run);
  }

  /** An eventfd of the client's, to be signalled. */
  final class ClientEvent implements Event {
    private final EventFd eventFd;
    private final AtomicBoolean pending = new AtomicBoolean();

    private ClientEvent(EventFd eventFd) {
      this.eventFd = eventFd;
    }

    @Override
    public void signal() {
      if (!pending.getAndSet(true)) {
        due.add(this);
        try {
          wake.signal();
        } catch (ClosedDescriptorException _) {
          // The client has left.
        }
      }
    }

    @Override
    public <T> Optional<T> unwrap(Class<T> exactType) {
      return exactType.equals(EventFd.class)
          ? Optional.of(exactType.cast(eventFd))
          : Optional.empty();
    }

    /** It is not used any more. */
    void drop() {
      due.remove(this); // where a client whose other eventfd blocks could pile them up
      ClientEvents.this.drop(eventFd);
    }
  }

  /** Takes over an eventfd, to signal it. */
  ClientEvent add(EventFd eventFd) {
    synchronized (all) {
      all.add(eventFd);
    }
    return new ClientEvent(eventFd);
  }

  /** What interrupts signal that the client wants no more: an eventfd that nobody reads. */
  synchronized Event nobodys() {
    ClientEvent event = nobodys;
    if (event == null) {
      event = add(EventFd.create(name + " unused vectors"));
      nobodys = event;
    }
    return event;
  }

  /** Takes over an eventfd; from now on, when it is signalled, the action is run. */
  void watch(EventFd eventFd, Runnable action) {
    synchronized (all) {
      all.add(eventFd);
    }
    synchronized (watched) {
      watched.put(eventFd, action);
    }
    wake.signal();
  }

  /** Ends {@link #watch}, and closes the eventfd. */
  void unwatch(EventFd eventFd) {
    synchronized (watched) {
      watched.remove(eventFd);
    }
    drop(eventFd);
  }

  @Override
  public void close() {
    closed = true;
    wake.signal();
    if (!joined(JOIN)) {
      Thread.ofPlatform().daemon().name("gatun ends events of " + name).start(this::unstick);
      return;
    }
    closeAll();
  }

  private void drop(EventFd eventFd) {
    synchronized (all) {
      all.remove(eventFd);
    }
    eventFd.close();
  }

  /**
   * Whoever is blocked writing is freed by reading, and by writing whoever reads. With the client
   * gone nobody works against that for long.
   */
  private void unstick() {
    long start = System.nanoTime();
    while (!joined(PAUSE) && System.nanoTime() - start < UNSTICKING.toNanos()) {
      List<EventFd> fds;
      synchronized (all) {
        fds = List.copyOf(all);
      }
      for (EventFd eventFd : fds) {
        boolean readable = Fd.awaitReadable(List.of(eventFd.fd()), Duration.ZERO).isPresent();
        if (readable) {
          eventFd.take();
        } else {
          eventFd.signal();
        }
      }
    }
    if (thread.isAlive()) {
      LOG.log(Level.WARNING, name + ": a thread is left, which its client's eventfd blocks");
    }
    closeAll();
  }

  private void closeAll() {
    wake.close();
    synchronized (all) {
      all.forEach(EventFd::close);
      all.clear();
    }
  }

  private boolean joined(Duration limit) {
    try {
      return thread.join(limit);
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
      return !thread.isAlive();
    }
  }

  private void run() {
    while (!closed) {
      try {
        signalDue();
        await();
        meter.pauseIfOverdrawn();
      } catch (ClosedDescriptorException _) {
        // Dropped meanwhile: another round has the right ones.
      } catch (LinuxException e) {
        LOG.log(Level.WARNING, name + ": " + e.getMessage());
      }
    }
    signalDue(); // that the device is gone, for instance
  }

  private void signalDue() {
    for (ClientEvent event = due.poll(); event != null; event = due.poll()) {
      event.pending.set(false);
      try {
        event.eventFd.signal();
      } catch (ClosedDescriptorException _) {
        // Dropped meanwhile.
      }
    }
  }

  private void await() {
    List<EventFd> fds = new ArrayList<>();
    List<Runnable> actions = new ArrayList<>();
    fds.add(wake);
    synchronized (watched) {
      fds.addAll(watched.keySet());
      actions.addAll(watched.values());
    }
    int signalled = EventFd.awaitAny(fds, FOREVER).orElse(-1);
    if (signalled == 0) {
      wake.take();
      // The others are not to starve.
      for (int i = 1; i < fds.size(); i++) {
        if (Fd.awaitReadable(List.of(fds.get(i).fd()), Duration.ZERO).isPresent()) {
          serve(fds.get(i), actions.get(i - 1));
        }
      }
    } else if (signalled > 0) {
      serve(fds.get(signalled), actions.get(signalled - 1));
    }
  }

  private void serve(EventFd eventFd, Runnable action) {
    if (eventFd.take() != 0) {
      try {
        action.run();
      } catch (RuntimeException e) {
        LOG.log(Level.DEBUG, name + ": an event of the client's came to nothing: " + e);
      }
    }
  }
}
