package org.gatun.vfiouser;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.gatun.nativeaccess.ClosedDescriptorException;
import org.gatun.nativeaccess.Errno;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciDevice;
import org.gatun.pci.ResetUnavailableException;
import org.gatun.pci.TimeSource;
import org.gatun.vfiouser.server.Session;
import org.gatun.vfiouser.wire.Strays;
import org.jspecify.annotations.Nullable;

/**
 * A device that is served over a socket: to one client at a time, and when it has left, to the
 * next. Between clients the device is stopped, and reset if it can be. Nothing else is to use the
 * device meanwhile.
 *
 * <p>Of a real device no descriptor ever goes to a client: its registers are reached by messages.
 * What a simulated device shares, a client can map.
 *
 * <p>Any thread. One thread of its own serves the clients.
 */
public final class DeviceExport implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(DeviceExport.class.getName());

  /** Clients that wait while another has the device. */
  private static final int BACKLOG = 16;

  /** Until descriptors or memory may be there again. */
  private static final Duration RESPITE = Duration.ofMillis(10);

  /** With who may be serving already. */
  private static final Duration PATIENCE = Duration.ofSeconds(1);

  private static final int ROOT = 0;

  private final PciDevice device;
  private final ExportOptions options;
  private final Strays strays;
  private final boolean resettable;
  private final CountDownLatch ended = new CountDownLatch(1);
  private final Thread thread;

  /** What clients come by, unless there is just one. */
  private final @Nullable UnixSocket listener;

  /** Where that is. Guarded by this, as what follows. */
  private @Nullable Path path;

  private @Nullable Session session;

  /** How many messages of clients that have left were served. */
  private long servedBefore;

  /** Whether the device's owner wants it back: there is no next client. */
  private boolean departing;

  private boolean closed;

  private volatile Optional<String> misconduct = Optional.empty();

  private DeviceExport(
      PciDevice device,
      ExportOptions options,
      @Nullable UnixSocket listener,
      @Nullable Path path,
      @Nullable UnixSocket client) {
    this.device = device;
    this.options = options;
    this.listener = listener;
    this.path = path;
    this.strays = new Strays(device.name().toString());
    this.resettable = reset(device);
    device.onDetach(new Departure());
    this.thread =
        Thread.ofPlatform()
            .daemon()
            .name("gatun export " + device.name())
            .unstarted(() -> run(client));
  }

  /**
   * Serves a device on a new socket, which only the owner's processes and root's can connect to,
   * unless options say otherwise.
   *
   * @param device the caller's, who closes it after this; it is reset, if it can be
   * @param socket where the socket is made; what is left there of a process that ended is removed
   * @throws DeviceUnavailableException if there can't be a socket there
   */
  public static DeviceExport listen(PciDevice device, Path socket, ExportOptions options) {
    UnixSocket listener = bind(device, socket);
    boolean started = false;
    try {
      // Who connects is asked for his user anyway.
      Files.setPosixFilePermissions(
          socket,
          PosixFilePermissions.fromString(options.uids().isEmpty() ? "rw-------" : "rw-rw-rw-"));
      DeviceExport export = new DeviceExport(device, options, listener, socket, null);
      export.thread.start();
      started = true;
      return export;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      if (!started) {
        listener.close();
        remove(socket);
      }
    }
  }

  /**
   * Serves a device to who is at the other end of a connected socket, and to nobody else. Who that
   * is the caller knows.
   *
   * @param client is taken over
   */
  @SuppressWarnings("exports") // to our own modules
  public static DeviceExport serve(PciDevice device, UnixSocket client, ExportOptions options) {
    boolean started = false;
    try {
      DeviceExport export = new DeviceExport(device, options, null, null, client);
      export.thread.start();
      started = true;
      return export;
    } finally {
      if (!started) {
        client.close();
      }
    }
  }

  /**
   * Gives the socket another name, at once: so it can be made where nobody can connect, and be
   * there for clients when all that belongs to it is.
   *
   * @param socket where nothing is, in the same file system
   * @throws IOException if it can't be moved; then it is where it was
   * @throws IllegalStateException if there is none, or it is not served any more
   */
  public synchronized void moveTo(Path socket) throws IOException {
    if (path == null || closed) {
      throw new IllegalStateException(this + ": there is no socket any more");
    }
    Files.move(path, socket, StandardCopyOption.ATOMIC_MOVE);
    path = socket;
  }

  /**
   * Waits until nothing is served any more: after {@link #close}, if the device is gone, or if it
   * was wanted back and its client has left.
   */
  public void awaitEnd() throws InterruptedException {
    ended.await();
  }

  /** As {@link #awaitEnd}, and returns whether it ended in that time. */
  public boolean awaitEnd(Duration limit) throws InterruptedException {
    return ended.await(limit.toNanos(), TimeUnit.NANOSECONDS);
  }

  /** How many messages were served. */
  public synchronized long served() {
    return servedBefore + (session == null ? 0 : session.served());
  }

  /** How its last client broke the protocol, if it was sent away for that. */
  public Optional<String> misconduct() {
    return misconduct;
  }

  /** Sends the client away, and ends the serving; returns when the device is at rest. */
  @Override
  public void close() {
    end("it is not served any more");
    boolean interrupted = false;
    while (!Thread.currentThread().equals(thread)) {
      try {
        thread.join();
        break;
      } catch (InterruptedException _) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public synchronized String toString() {
    return device.name() + (path == null ? "" : " at " + path);
  }

  private synchronized void end(String why) {
    if (closed) {
      return;
    }
    closed = true;
    if (listener != null) {
      listener.close();
    }
    if (path != null) {
      remove(path);
    }
    if (session != null) {
      session.end(why);
    }
  }

  private void run(@Nullable UnixSocket only) {
    try {
      if (only != null) {
        serve(only);
      } else {
        serveAll();
      }
    } catch (ClosedDescriptorException _) {
      LOG.log(Level.TRACE, () -> this + ": closed");
    } catch (RuntimeException e) {
      LOG.log(Level.ERROR, this + ": not served any more: " + e.getMessage(), e);
    } finally {
      end("the serving failed");
      ended.countDown();
    }
  }

  private void serveAll() {
    UnixSocket acceptor = Objects.requireNonNull(listener);
    while (true) {
      UnixSocket client;
      try {
        client = acceptor.accept();
      } catch (LinuxException e) {
        if (isOfOneClient(e)) {
          continue;
        }
        throw e;
      }
      if (isWelcome(client)) {
        serve(client);
      } else {
        client.close();
      }
    }
  }

  /** One that has left already, or that there is no descriptor left for just now. */
  private static boolean isOfOneClient(LinuxException e) {
    return switch (e.errno()) {
      case ECONNABORTED, EPROTO, EMFILE, ENFILE, ENOBUFS, ENOMEM -> {
        TimeSource.system().sleep(RESPITE);
        yield true;
      }
      default -> false;
    };
  }

  private boolean isWelcome(UnixSocket client) {
    int uid;
    try {
      uid = client.peer().uid();
    } catch (LinuxException e) {
      return false;
    }
    Set<Integer> uids = options.uids();
    boolean allowed = uids.isEmpty() ? uid == ROOT || uid == ownUid() : uids.contains(uid);
    if (!allowed) {
      LOG.log(Level.WARNING, "%s: user %d may not connect".formatted(this, uid));
    } else if (strays.isFull()) {
      LOG.log(
          Level.WARNING, this + ": descriptors of former clients can't be closed: no client now");
    }
    return allowed && !strays.isFull();
  }

  private void serve(UnixSocket client) {
    Session current;
    synchronized (this) {
      if (closed) {
        client.close();
        return;
      }
      current = open(client);
      session = current;
    }
    if (current == null) {
      TimeSource.system().sleep(RESPITE);
      return;
    }
    try {
      misconduct = current.run();
    } finally {
      synchronized (this) {
        session = null;
        servedBefore += current.served();
        if (departing) {
          end("it is wanted back");
        }
      }
    }
  }

  private @Nullable Session open(UnixSocket client) {
    try {
      return Session.open(device, client, options, strays, resettable);
    } catch (LinuxException e) {
      LOG.log(Level.WARNING, this + ": a client can't be served now: " + e.getMessage());
      return null;
    }
  }

  private static UnixSocket bind(PciDevice device, Path socket) {
    try {
      return UnixSocket.listen(socket, BACKLOG);
    } catch (LinuxException e) {
      if (e.errno() != Errno.EADDRINUSE || !isSocket(socket) || isServed(socket)) {
        throw unavailable(device, socket, e);
      }
    }
    // Nobody answers: its process has ended without removing it.
    remove(socket);
    try {
      return UnixSocket.listen(socket, BACKLOG);
    } catch (LinuxException e) {
      throw unavailable(device, socket, e);
    }
  }

  private static boolean isSocket(Path path) {
    try {
      return Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
          .isOther();
    } catch (IOException e) {
      return false;
    }
  }

  private static boolean isServed(Path socket) {
    try {
      UnixSocket.connect(socket, PATIENCE).close();
      return true;
    } catch (LinuxException e) {
      return e.errno() != Errno.ECONNREFUSED;
    }
  }

  private static DeviceUnavailableException unavailable(
      PciDevice device, Path socket, LinuxException e) {
    return new DeviceUnavailableException(
        device.name(),
        "can't be served at %s: %s".formatted(socket, e.getMessage()),
        "choose a path in a folder of your own that has nothing there",
        e);
  }

  private static void remove(Path socket) {
    try {
      Files.deleteIfExists(socket);
    } catch (IOException e) {
      LOG.log(Level.WARNING, "the socket " + socket + " stays: " + e.getMessage());
    }
  }

  private static int ownUid() {
    try {
      return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Whether it can be reset, found out by doing it. */
  private static boolean reset(PciDevice device) {
    try {
      device.reset();
      return true;
    } catch (ResetUnavailableException _) {
      return false;
    }
  }

  /** Passes on what the device's owner says. */
  private final class Departure implements DetachListener {
    @Override
    public void requested(Duration deadline) {
      synchronized (DeviceExport.this) {
        departing = true;
        if (session != null) {
          session.requestBack();
        } else {
          end("it is wanted back");
        }
      }
    }

    @Override
    public void gone(String cause) {
      synchronized (DeviceExport.this) {
        if (session != null) {
          session.fail();
        }
      }
      end("the device is gone: " + cause);
    }
  }
}
