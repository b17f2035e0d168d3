package org.gatun.nativeaccess;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A stream socket between processes of one machine, by which they pass bytes and descriptors.
 *
 * <p><b>Threads.</b> All methods may be called from any thread. A message that the kernel takes in
 * parts is not one for others, so there must be one sender at a time; and one receiver at a time,
 * which may be another thread. Closing wakes those who send, receive or accept, with {@link
 * ClosedDescriptorException}. These block in the kernel: do it on a platform thread; {@link
 * Thread#interrupt} does not end it, {@link #shutdown} and {@link #close} do. The sockets are of
 * the blocking kind, those of {@link #of} too.
 *
 * <p><b>Memory.</b> The kernel gets the addresses of what is sent and of where to receive: their
 * arena must stay open until the call returns, and nobody refuses to close it during the call.
 *
 * <p>Sending and receiving allocate nothing, unless descriptors go with the bytes.
 */
public final class UnixSocket implements AutoCloseable {
  /** As many descriptors can be passed by one {@link #send} or {@link #receive}. */
  public static final int MAX_DESCRIPTORS = SocketMessage.MAX_DESCRIPTORS;

  /** The longest path, in bytes: a 0 follows it. */
  private static final int MAX_PATH = (int) (Abi.SOCKADDR_UN.byteSize() - Abi.SOCKADDR_UN_PATH - 1);

  /** Unlike closing, this makes the calls that are blocked in the kernel return. */
  private static final Fd.Wake SHUT_DOWN = open -> Linux.calls().shutdown(open, Abi.SHUT_RDWR);

  private final Fd fd;

  private UnixSocket(Fd fd) {
    this.fd = fd;
  }

  /** Two sockets that are connected with each other. */
  public record Pair(UnixSocket first, UnixSocket second) {}

  /**
   * Connects to the socket that somebody listens on at a path. Waits as long as the listener's
   * backlog is full.
   *
   * @throws IllegalArgumentException if the path is empty or longer than 107 bytes, which the
   *     kernel can't take
   * @throws LinuxException if it can't be connected, with the path
   */
  public static UnixSocket connect(Path path) {
    return connect(path, Duration.ZERO);
  }

  /**
   * As {@link #connect(Path)}, and waits no longer than that.
   *
   * @param limit which becomes the send time-out, see {@link #timeouts}; 0 is forever
   * @throws LinuxException with {@link Errno#ETIMEDOUT} if the backlog stayed full
   */
  public static UnixSocket connect(Path path, Duration limit) {
    return open(
        path,
        "socket " + path,
        (number, address, length) -> {
          setTimeout(number, Abi.SO_SNDTIMEO, limit, path);
          int result;
          do {
            result = Linux.calls().connect(number, address, length);
          } while (Fd.interrupted(result));
          // What the kernel calls EAGAIN is that the time-out passed, as the socket is blocking.
          boolean late = result == -Errno.EAGAIN.number();
          Linux.check(late ? -Errno.ETIMEDOUT.number() : result, "connect", path);
        });
  }

  /**
   * Makes a socket at a path, and listens on it. There must be no file yet; the one that is made
   * stays when the socket is closed.
   *
   * @param backlog how many clients may wait to be accepted
   * @throws IllegalArgumentException if the path is empty or longer than 107 bytes, which the
   *     kernel can't take
   * @throws LinuxException if it can't be made, with the path; with {@link Errno#EADDRINUSE} if
   *     there is a file
   */
  public static UnixSocket listen(Path path, int backlog) {
    return open(
        path,
        "listener " + path,
        (number, address, length) -> {
          Linux.check(Linux.calls().bind(number, address, length), "bind", path);
          Linux.check(Linux.calls().listen(number, backlog), "listen", path);
        });
  }

  /** Creates two sockets that are connected with each other. */
  public static Pair pair() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment two = arena.allocate(JAVA_INT, 2);
      Linux.check(
          Linux.calls().socketpair(Abi.AF_UNIX, Abi.SOCK_STREAM | Abi.SOCK_CLOEXEC, 0, two),
          "socketpair",
          "AF_UNIX");
      return new Pair(
          new UnixSocket(new Fd(two.getAtIndex(JAVA_INT, 0), "socket of a pair")),
          new UnixSocket(new Fd(two.getAtIndex(JAVA_INT, 1), "socket of a pair")));
    }
  }

  /** Takes over the descriptor of a Unix stream socket that is connected. */
  public static UnixSocket of(Fd connected) {
    return new UnixSocket(connected);
  }

  /** The descriptor, to wait for, or to pass on; it stays this object's. */
  public Fd fd() {
    return fd;
  }

  /**
   * Waits for a client, of a socket that listens.
   *
   * @return the connection with it, which the caller owns
   * @throws ClosedDescriptorException if it is closed, before or meanwhile
   * @throws LinuxException with {@link Errno#EINVAL} if it does not listen, or was shut down; with
   *     {@link Errno#ETIMEDOUT} if the receive time-out passed
   */
  public UnixSocket accept() {
    int number = fd.acquire("accept");
    try {
      int result;
      do {
        result = Linux.calls().accept4(number, Abi.SOCK_CLOEXEC);
      } while (Fd.interrupted(result));
      if (result < 0) {
        throw failed("accept", result);
      }
      return new UnixSocket(new Fd(result, "client of " + fd));
    } finally {
      fd.release();
    }
  }

  /** Returns who is at the other end. */
  public PeerCredentials peer() {
    int number = fd.acquire("getsockopt SO_PEERCRED");
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment credentials = arena.allocate(Abi.UCRED);
      MemorySegment length = arena.allocateFrom(JAVA_INT, (int) credentials.byteSize());
      Linux.check(
          Linux.calls().getsockopt(number, Abi.SOL_SOCKET, Abi.SO_PEERCRED, credentials, length),
          "getsockopt SO_PEERCRED",
          fd);
      return new PeerCredentials(
          credentials.get(JAVA_INT, Abi.UCRED_PID),
          credentials.get(JAVA_INT, Abi.UCRED_UID),
          credentials.get(JAVA_INT, Abi.UCRED_GID));
    } finally {
      fd.release();
    }
  }

  /**
   * Limits how long later calls wait, in steps of the kernel's clock tick; at first there is no
   * limit.
   *
   * @param receive how long {@link #receive} and {@link #accept} wait; 0 is forever
   * @param send how long {@link #send} waits for the peer to make room; 0 is forever
   */
  public void timeouts(Duration receive, Duration send) {
    int number = fd.acquire("setsockopt");
    try {
      setTimeout(number, Abi.SO_RCVTIMEO, receive, fd);
      setTimeout(number, Abi.SO_SNDTIMEO, send, fd);
    } finally {
      fd.release();
    }
  }

  /**
   * Sends bytes, all of them, and descriptors together with the first byte. The descriptors stay
   * the caller's: the peer gets descriptors of its own of the same files.
   *
   * <p>After a failure some of the bytes may have been sent: the stream is of no more use.
   *
   * @param message a native segment
   * @param offset of the first byte in {@code message}
   * @param length in bytes, positive
   * @param descriptors at most {@link #MAX_DESCRIPTORS}; empty for none
   * @throws LinuxException with {@link Errno#ETIMEDOUT} if the peer made no room at all in the send
   *     time-out, so one that reads slowly can make it take many times as long; with {@link
   *     Errno#EPIPE} or {@link Errno#ECONNRESET} if the peer closed its end
   * @throws ClosedDescriptorException if it, or one of the descriptors, is closed before, or it is
   *     closed meanwhile
   */
  public void send(MemorySegment message, long offset, long length, List<Fd> descriptors) {
    SocketMessage.check(message, offset, length);
    checkCount(descriptors.size());
    if (descriptors.isEmpty()) {
      SocketMessage header = SocketMessage.ofThread();
      header.roomFor(0);
      send(header, message, offset, length);
    } else {
      try (HeldFds held = HeldFds.of(descriptors)) {
        SocketMessage header = SocketMessage.ofThread();
        header.put(held, descriptors.size());
        send(header, message, offset, length);
      }
    }
  }

  /**
   * Waits for bytes, and takes those that are there, with the descriptors that were sent together
   * with them.
   *
   * @param buffer a native segment that can be written
   * @param offset where in {@code buffer} the first byte goes
   * @param length how many bytes at most, positive
   * @param maxDescriptors how many descriptors at most, 0 to {@link #MAX_DESCRIPTORS}
   * @param descriptors where to add the descriptors, in the order in which they were sent; the
   *     caller owns them. What they are, the peer chose: even closing one may block or fail
   * @return the number of bytes; 0 at the end of the stream, when the peer closed its end; -1 if
   *     none came in the receive time-out
   * @throws LinuxException with {@link Errno#EMSGSIZE} if more descriptors came than allowed, or
   *     than this process may open: all of them are closed, the bytes are in the buffer, and how
   *     many is not known; with {@link Errno#ECONNRESET} if the peer closed its end without reading
   *     all that was sent to it
   * @throws ClosedDescriptorException if it is closed, before or meanwhile
   */
  public long receive(
      MemorySegment buffer, long offset, long length, int maxDescriptors, List<Fd> descriptors) {
    SocketMessage.check(buffer, offset, length);
    checkCount(maxDescriptors);
    if (buffer.isReadOnly()) {
      throw new IllegalArgumentException("Read-only segment not allowed: " + buffer);
    }
    SocketMessage header = SocketMessage.ofThread();
    int number = fd.acquire("receive");
    try {
      header.data(buffer, offset, length);
      long result;
      do {
        header.roomFor(maxDescriptors);
        result = Linux.calls().recvmsg(number, header.header(), Abi.MSG_CMSG_CLOEXEC);
      } while (Fd.interrupted(result));
      if (result > 0) {
        if (header.hasControl() || header.isTruncated()) {
          takeDescriptors(header, maxDescriptors, descriptors);
        }
        return result;
      }
      if (result == -Errno.EAGAIN.number() && !fd.isClosed()) {
        return -1;
      }
      if (result == 0 && !fd.isClosed()) {
        return 0;
      }
      throw failed("receive", result);
    } finally {
      Reference.reachabilityFence(buffer);
      fd.release();
    }
  }

  /**
   * Ends the stream in both directions, for all who have this socket, and for the peer, without
   * closing: what waits to be received still can be, and then {@link #receive} returns 0; {@link
   * #send} fails with {@link Errno#EPIPE}, and {@link #accept} with {@link Errno#EINVAL}. Wakes
   * those who wait in these. Does nothing the second time, or after it was closed.
   */
  public void shutdown() {
    int number;
    try {
      number = fd.acquire("shutdown");
    } catch (ClosedDescriptorException e) {
      return;
    }
    try {
      Linux.check(Linux.calls().shutdown(number, Abi.SHUT_RDWR), "shutdown", fd);
    } finally {
      fd.release();
    }
  }

  /**
   * Closes it and wakes those who wait, for which the stream is ended as by {@link #shutdown}. If
   * nobody waits, other descriptors of the same socket, such as one passed to another process, can
   * be used further. Does nothing the second time.
   */
  @Override
  public void close() {
    fd.close(SHUT_DOWN);
  }

  @Override
  public String toString() {
    return fd.toString();
  }

  private void send(SocketMessage header, MemorySegment message, long offset, long length) {
    int number = fd.acquire("send");
    try {
      long sent = 0;
      while (sent < length) {
        header.data(message, offset + sent, length - sent);
        long result = Linux.calls().sendmsg(number, header.header(), Abi.MSG_NOSIGNAL);
        if (result > 0) {
          sent += result;
          // They went with the first byte.
          header.roomFor(0);
        } else if (!Fd.interrupted(result)) {
          throw failed("send", result);
        }
      }
    } finally {
      Reference.reachabilityFence(message);
      fd.release();
    }
  }

  private void takeDescriptors(SocketMessage header, int maxDescriptors, List<Fd> descriptors) {
    List<Fd> received = new ArrayList<>();
    header.take(received, "received by " + fd);
    if (header.isTruncated() || received.size() > maxDescriptors) {
      LinuxException tooMany = new LinuxException("receive", toString(), Errno.EMSGSIZE.number());
      closeAll(received, tooMany);
      throw tooMany;
    }
    try {
      descriptors.addAll(received);
    } catch (RuntimeException e) {
      closeAll(received, e);
      throw e;
    }
  }

  /** Closes all, even if the peer has chosen one whose closing fails. */
  private static void closeAll(List<Fd> fds, RuntimeException reason) {
    for (Fd fd : fds) {
      try {
        fd.close();
      } catch (LinuxException e) {
        reason.addSuppressed(e);
      }
    }
  }

  private RuntimeException failed(String call, long result) {
    if (fd.isClosed()) {
      return new ClosedDescriptorException(call, fd);
    }
    // What the kernel calls EAGAIN is that the time-out passed, as the sockets are blocking.
    boolean late = result == -Errno.EAGAIN.number();
    return new LinuxException(call, toString(), late ? Errno.ETIMEDOUT.number() : (int) -result);
  }

  private static void checkCount(int descriptors) {
    if (descriptors < 0 || descriptors > MAX_DESCRIPTORS) {
      throw new IllegalArgumentException(
          descriptors + " descriptors: 0 to " + MAX_DESCRIPTORS + " can be passed at once");
    }
  }

  private static void setTimeout(int number, int option, Duration limit, Object what) {
    if (limit.isNegative()) {
      throw new IllegalArgumentException("a time-out of " + limit + ": must not be negative");
    }
    // Up, so that the shortest is not forever.
    long micros = Math.ceilDiv(EventFd.nanos(limit), TimeUnit.MICROSECONDS.toNanos(1));
    long second = TimeUnit.SECONDS.toMicros(1);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment timeval = arena.allocate(Abi.TIMEVAL);
      timeval.set(JAVA_LONG, Abi.TIMEVAL_SEC, micros / second);
      timeval.set(JAVA_LONG, Abi.TIMEVAL_USEC, micros % second);
      Linux.check(
          Linux.calls().setsockopt(number, Abi.SOL_SOCKET, option, timeval),
          "setsockopt time-out",
          what);
    }
  }

  /** What is done with a new socket and the address of a path. */
  @FunctionalInterface
  private interface Opening {
    void apply(int number, MemorySegment address, int length);
  }

  private static UnixSocket open(Path path, String description, Opening opening) {
    byte[] name = path.toString().getBytes(UTF_8);
    // An empty one would be a name of its own kind, in no file system.
    if (name.length == 0 || name.length > MAX_PATH) {
      throw new IllegalArgumentException(
          "socket \"%s\": its path has %d bytes, and the kernel takes 1 to %d"
              .formatted(path, name.length, MAX_PATH));
    }
    int number =
        Linux.check(
            Linux.calls().socket(Abi.AF_UNIX, Abi.SOCK_STREAM | Abi.SOCK_CLOEXEC, 0),
            "socket",
            path);
    UnixSocket socket = new UnixSocket(new Fd(number, description));
    boolean opened = false;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment address = arena.allocate(Abi.SOCKADDR_UN);
      address.set(JAVA_SHORT, Abi.SOCKADDR_UN_FAMILY, (short) Abi.AF_UNIX);
      MemorySegment.copy(
          MemorySegment.ofArray(name), 0, address, Abi.SOCKADDR_UN_PATH, name.length);
      opening.apply(number, address, (int) Abi.SOCKADDR_UN_PATH + name.length + 1);
      opened = true;
      return socket;
    } finally {
      if (!opened) {
        socket.close();
      }
    }
  }
}
