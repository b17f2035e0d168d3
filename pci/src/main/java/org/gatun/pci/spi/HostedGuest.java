package org.gatun.pci.spi;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicReference;
import org.gatun.pci.DetachListener;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.jspecify.annotations.Nullable;

/**
 * For hosts of guests: a guest at work on a device. It is done when {@link PciGuest#attach} has
 * returned and all threads that it took from its context have ended. Any thread.
 */
public final class HostedGuest implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(HostedGuest.class.getName());

  /** For a guest whose device is not wanted back by anybody who says how long. */
  private static final Duration FAREWELL = Duration.ofSeconds(2);

  private final String name;
  private final PciDevice device;
  private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

  /** All that may be alive. Guarded by itself. */
  private final List<Thread> threads = new ArrayList<>();

  private final AtomicReference<@Nullable Attachment> attachment = new AtomicReference<>();

  /** Whether the guest has said so since somebody asked. */
  private volatile boolean alive;

  private HostedGuest(String name, PciDevice device) {
    this.name = name;
    this.device = device;
  }

  /**
   * Has a guest start its work.
   *
   * @param name for threads and log lines
   * @param device taken over: closed by {@link #close}, when it is wanted back and the guest has
   *     let go of it, or when this fails
   * @param arguments as the user gave them
   * @throws IllegalArgumentException if the guest can't drive such a device
   * @throws RuntimeException as the guest's attaching throws it
   */
  public static HostedGuest attach(
      PciGuest guest, String name, PciDevice device, List<String> arguments) {
    HostedGuest hosted = new HostedGuest(name, device);
    boolean attached = false;
    try {
      if (guest.matches().stream().noneMatch(m -> m.matches(device.id(), device.pciClass()))) {
        throw new IllegalArgumentException(
            "guest %s can't drive %s, which is %s, class %s"
                .formatted(name, device.name(), device.id(), device.pciClass()));
      }
      device.onDetach(hosted.new Departure());
      hosted.attachment.set(guest.attach(device, hosted.new Context(List.copyOf(arguments))));
      attached = true;
      return hosted;
    } finally {
      if (!attached) {
        device.close();
      }
    }
  }

  /**
   * Waits until the guest is done.
   *
   * @return whether it is
   */
  public boolean awaitEnd(Duration limit) throws InterruptedException {
    long end = System.nanoTime() + TimeSource.saturatedNanos(limit);
    while (true) {
      Optional<Thread> alive;
      synchronized (threads) {
        threads.removeIf(thread -> thread.getState() == Thread.State.TERMINATED);
        alive = threads.stream().filter(Thread::isAlive).findFirst();
      }
      if (alive.isEmpty()) {
        return true;
      }
      long left = end - System.nanoTime();
      if (left <= 0 || !alive.get().join(Duration.ofNanos(left))) {
        return false;
      }
    }
  }

  /** Whether the guest has {@linkplain GuestContext#alive said so} since this was asked last. */
  public boolean wasAlive() {
    boolean was = alive;
    alive = false;
    return was;
  }

  /** What a thread of the guest, or its detaching, ended with; the first one. */
  public Optional<Throwable> failure() {
    return Optional.ofNullable(failure.get());
  }

  /** Has the guest let go, in 2 s, and closes the device. Idempotent. */
  @Override
  public void close() {
    letGo(FAREWELL);
  }

  private void letGo(Duration deadline) {
    Attachment attached = attachment.getAndSet(null);
    try {
      if (attached != null) {
        attached.detach(deadline);
      }
    } catch (RuntimeException | Error e) {
      // Whatever it is: the device is closed, and the host says so.
      failed(e);
    } finally {
      device.close();
    }
  }

  private void failed(Throwable e) {
    LOG.log(Level.ERROR, "guest " + name + ": " + e, e);
    failure.compareAndSet(null, e);
  }

  private final class Departure implements DetachListener {
    @Override
    public void requested(Duration deadline) {
      letGo(deadline);
    }

    @Override
    public void gone(String cause) {
      letGo(Duration.ZERO);
    }
  }

  private final class Context implements GuestContext {
    private final List<String> arguments;
    private final ThreadFactory threadFactory =
        Thread.ofPlatform()
            .daemon()
            .name("guest " + name + " ", 1)
            .uncaughtExceptionHandler((thread, e) -> failed(e))
            .factory();

    Context(List<String> arguments) {
      this.arguments = arguments;
    }

    @Override
    public List<String> arguments() {
      return arguments;
    }

    @Override
    public System.Logger logger() {
      return System.getLogger("org.gatun.guest." + name);
    }

    @Override
    public TimeSource time() {
      return TimeSource.system();
    }

    @Override
    public void alive() {
      if (!alive) {
        alive = true;
      }
    }

    @Override
    public ThreadFactory threads() {
      return task -> {
        Thread thread = threadFactory.newThread(task);
        synchronized (threads) {
          threads.removeIf(old -> old.getState() == Thread.State.TERMINATED);
          threads.add(thread);
        }
        return thread;
      };
    }
  }
}
