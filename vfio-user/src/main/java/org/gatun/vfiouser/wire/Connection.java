package org.gatun.vfiouser.wire;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.gatun.nativeaccess.ClosedDescriptorException;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.vfiouser.Limits;
import org.jspecify.annotations.Nullable;

/**
 * One end of a connection, over which both ends send commands and reply to them (there is no twin
 * socket). One request of ours is in flight at a time.
 *
 * <p><b>Threads.</b> Any. No thread of its own reads the socket: a thread that waits for a reply
 * reads for itself, so that the reply need not be handed from thread to thread, and passes on what
 * is not for it. Who serves the peer's commands calls {@link #nextCommand} or {@link #serveIdle}.
 *
 * <p>What breaks the protocol, and a peer that leaves or is silent, breaks the connection for all:
 * {@link DisconnectedException} from then on.
 */
public final class Connection implements AutoCloseable {
  /** How often a thread that waits in the kernel looks whether it still should. */
  private static final Duration TICK = Duration.ofMillis(500);

  /** How long the idle thread leaves the socket to those who wait for replies. */
  private static final long NAP_MILLIS = 1;

  private static final Duration FOREVER = Duration.ofNanos(Long.MAX_VALUE);

  /** More than any message has besides its data. */
  private static final int OVERHEAD = 64 << 10;

  /**
   * Of commands that arrive while the peer owes a reply: no honest peer has that many on the way.
   */
  private static final int QUEUED_DESCRIPTORS = 256;

  /** Messages kept for later. */
  private static final int SPARE = 16;

  private static final List<Fd> NONE = List.of();

  private final UnixSocket socket;
  private final Limits limits;
  private final Strays strays;
  private final EventFd wake = EventFd.create("vfio-user connection");
  private final ReentrantLock requesting = new ReentrantLock();
  private final ReentrantLock sending = new ReentrantLock();
  private final Exchange exchange = new Exchange();

  /** The most descriptors that the peer takes in one message; until it said so, one. */
  private volatile int peerDescriptors = 1;

  /** Guards what follows. */
  private final Object turn = new Object();

  /** Whether a thread reads the socket. */
  private boolean receiving;

  private final Deque<Message> commands = new ArrayDeque<>();
  private final Deque<Message> unused = new ArrayDeque<>();
  private long queuedBytes;
  private int queuedDescriptors;
  private boolean awaited;
  private int awaitedId;
  private int awaitedCommand;
  private @Nullable Message reply;

  /** Whether a thread waits for the socket to be readable: who leaves something ahead wakes it. */
  private boolean servedIdle;

  private volatile @Nullable String broken;
  private @Nullable Throwable cause;

  // What follows is for the thread that reads the socket; for others when none does.

  /** When a message that is not there at once began to come. */
  private long messageStart;

  /** Received together with the message before: the beginning of the next ones. */
  private final MemorySegment ahead = Arena.ofAuto().allocate(Message.INITIAL_CAPACITY);

  private long aheadSize;

  /** Of the message that the last byte ahead is of. */
  private final List<Fd> aheadDescriptors = new ArrayList<>();

  /** How many descriptors of a message came before what was received last. */
  private int earlierDescriptors;

  /** What the peer asks for while we wait for a reply of its; null puts it off. */
  private volatile @Nullable Consumer<Message> server;

  /**
   * Takes over a connected socket.
   *
   * @param strays gets descriptors that came with no use for them: to be closed, which may block,
   *     since they can be anything
   */
  public Connection(UnixSocket socket, Limits limits, Strays strays) {
    this.socket = socket;
    this.limits = limits;
    this.strays = strays;
    socket.timeouts(
        limits.patience().compareTo(TICK) < 0 ? limits.patience() : TICK, limits.patience());
  }

  /** From now on a thread that waits for a reply carries out the commands that come meanwhile. */
  public void serveWhileWaiting(Consumer<Message> commandServer) {
    server = commandServer;
  }

  /** The peer said how many descriptors it takes. */
  public void peerTakes(int descriptors) {
    peerDescriptors = descriptors;
  }

  /** How many descriptors a message to the peer may have. */
  public int peerTakes() {
    return peerDescriptors;
  }

  /** A request of ours and its reply. Ends with {@code close}: until then others wait. */
  public final class Exchange implements AutoCloseable {
    private final Message request = new Message();
    private int nextId;
    private @Nullable Message received;

    private Exchange() {}

    /** The request, to be filled in. */
    public Message request(Command command, int payloadSize) {
      return request.request(command, nextId++ & 0xffff, payloadSize);
    }

    /** A request that is not replied to, to be filled in. */
    public Message posted(Command command, int payloadSize) {
      return request.posted(command, nextId++ & 0xffff, payloadSize);
    }

    /** Sends a request that is not replied to. */
    public void post() {
      send(request);
    }

    /**
     * Sends the request, and waits for the reply, which is valid until the next one.
     *
     * @param least what the payload of a reply without error has at least, in bytes
     * @param limit how long to wait
     */
    public Message call(int least, Duration limit) {
      recycle();
      Message answer = exchanged(request, limit);
      received = answer;
      if (!answer.isError() && answer.payloadSize() < least) {
        throw broken(
            "a reply to %s has %d bytes of payload, not at least %d"
                .formatted(Command.of(request.commandNumber()), answer.payloadSize(), least),
            null);
      }
      return answer;
    }

    @Override
    public void close() {
      recycle();
      requesting.unlock();
    }

    private void recycle() {
      Message old = received;
      if (old != null) {
        received = null;
        Connection.this.recycle(old);
      }
    }
  }

  /** Begins a request; waits for that of another thread to end. */
  @SuppressWarnings("LockNotBeforeTry") // the exchange unlocks
  public Exchange begin() {
    requesting.lock();
    return exchange;
  }

  /** Sends a message. */
  public void send(Message message) {
    sending.lock();
    try {
      checkSound();
      List<Fd> descriptors = message.descriptors().isEmpty() ? NONE : message.descriptors();
      socket.send(message.bytes(), 0, message.size(), descriptors);
    } catch (LinuxException | ClosedDescriptorException e) {
      throw broken("it does not take what it is sent: " + e.getMessage(), e);
    } finally {
      sending.unlock();
    }
  }

  /**
   * Waits for a command of the peer's, in the order in which they came. It is valid until it is
   * {@linkplain #recycle recycled}.
   *
   * @param idle how long the peer may send nothing at all
   * @return null if the peer has left
   */
  public @Nullable Message nextCommand(Duration idle) {
    long start = System.nanoTime();
    while (true) {
      synchronized (turn) {
        while (commands.isEmpty() && receiving && broken == null) {
          await(Long.MAX_VALUE);
        }
        Message first = commands.poll();
        if (first != null) {
          queuedBytes -= first.capacity();
          queuedDescriptors -= first.descriptors().size();
          return first;
        }
        if (broken != null) {
          throw disconnected();
        }
        if (System.nanoTime() - start > saturated(idle)) {
          throw broken("it has sent nothing within " + idle, null);
        }
        receiving = true;
      }
      if (!receiveAndPassOn()) {
        return null;
      }
    }
  }

  /**
   * Serves the peer's commands as long as nobody waits for a reply, until the connection ends: for
   * a thread of the client's. What comes while somebody waits, that thread serves.
   *
   * @return why it ended
   */
  public String serveIdle() {
    List<Fd> awaitedFds = List.of(wake.fd(), socket.fd());
    synchronized (turn) {
      servedIdle = true;
      if (broken == null && aheadSize > 0) {
        wake.signal();
      }
    }
    try {
      while (true) {
        boolean woken = Fd.awaitReadable(awaitedFds, FOREVER).orElse(-1) == 0;
        if (woken) {
          wake.take();
        }
        boolean ours;
        synchronized (turn) {
          if (broken != null) {
            throw disconnected();
          }
          if (woken && !receiving && aheadSize == 0) {
            continue; // another thread took it meanwhile
          }
          ours = !receiving;
          receiving = true;
        }
        if (!ours) {
          nap();
        } else if (!receiveAndPassOn()) {
          broken("it has left", null);
        }
      }
    } catch (DisconnectedException e) {
      return String.valueOf(e.getMessage());
    } catch (ClosedDescriptorException e) {
      return "it was closed";
    } catch (RuntimeException e) {
      return disconnected().getMessage() + ": " + e; // whoever serves its commands failed
    }
  }

  /** Gives a message back that was received; descriptors that are still in it are closed. */
  public void recycle(Message message) {
    if (!message.descriptors().isEmpty()) {
      strays.close(message.takeDescriptors());
    }
    synchronized (turn) {
      if (unused.size() < SPARE) {
        unused.push(message);
      }
    }
  }

  /** Ends it: whoever waits hears that it was closed. */
  public void end(String why) {
    broken(why, null);
  }

  @Override
  public void close() {
    end("it was closed");
    wake.signal();
    List<Fd> left = new ArrayList<>();
    synchronized (turn) {
      commands.forEach(command -> left.addAll(command.takeDescriptors()));
      commands.clear();
      if (!receiving) {
        left.addAll(dropAhead());
      }
    }
    left.add(socket.fd()); // was shut down; what nobody received of it is closed with it
    strays.close(left);
    wake.close();
  }

  private Message exchanged(Message request, Duration limit) {
    int id = request.id();
    synchronized (turn) {
      awaited = true;
      awaitedId = id;
      awaitedCommand = request.commandNumber();
    }
    send(request);
    long start = System.nanoTime();
    while (true) {
      synchronized (turn) {
        while (true) {
          Message arrived = reply;
          if (arrived != null) {
            reply = null;
            return arrived;
          }
          if (broken != null) {
            throw disconnected();
          }
          long left = saturated(limit) - (System.nanoTime() - start);
          if (left <= 0) {
            throw broken(
                "it has not replied to %s within %s"
                    .formatted(Command.of(request.commandNumber()), limit),
                null);
          }
          if (!receiving) {
            receiving = true;
            break;
          }
          await(left);
        }
      }
      if (!receiveAndPassOn()) {
        throw broken("it has left", null);
      }
    }
  }

  /**
   * Receives one message, with the turn to do so, which ends; or nothing for a while.
   *
   * @return false at the end of the stream
   */
  private boolean receiveAndPassOn() {
    Message message = null;
    boolean done = false;
    try {
      synchronized (turn) {
        message = unused.isEmpty() ? new Message() : unused.pop();
      }
      switch (receive(message)) {
        case NOTHING -> {}
        case END -> {
          done = true;
          return false;
        }
        case MESSAGE -> {
          Message taken = message;
          message = null;
          passOn(taken);
        }
      }
      done = true;
      return true;
    } catch (ProtocolException e) {
      throw broken("it broke the protocol: " + e.getMessage(), e);
    } catch (LinuxException | ClosedDescriptorException e) {
      throw broken("nothing can be received from it: " + e.getMessage(), e);
    } finally {
      try {
        if (message != null) {
          recycle(message);
        }
      } finally {
        List<Fd> left = NONE;
        synchronized (turn) {
          receiving = false;
          if (broken != null) {
            left = dropAhead();
          } else if (servedIdle && aheadSize > 0) {
            wake.signal(); // the socket need not be readable
          }
          turn.notifyAll();
        }
        if (!left.isEmpty()) {
          strays.close(left);
        }
        if (!done && broken == null) {
          broken("receiving from it failed", null);
        }
      }
    }
  }

  private void passOn(Message message) {
    if (message.isReply()) {
      boolean expected;
      synchronized (turn) {
        expected =
            awaited
                && message.id() == awaitedId
                && message.commandNumber() == awaitedCommand
                && reply == null;
        if (expected) {
          awaited = false;
          reply = message;
        }
      }
      if (!expected) {
        recycle(message);
        throw new ProtocolException("a reply to what was not asked, with id " + message.id());
      }
      return;
    }
    Consumer<Message> commandServer = server;
    if (commandServer != null) {
      try {
        commandServer.accept(message);
      } finally {
        recycle(message);
      }
      return;
    }
    boolean tooMany;
    synchronized (turn) {
      int descriptors = message.descriptors().size();
      tooMany =
          !commands.isEmpty()
              && (message.capacity() > limits.queuedBytes() - queuedBytes
                  || descriptors > QUEUED_DESCRIPTORS - queuedDescriptors);
      if (!tooMany) {
        queuedBytes += message.capacity();
        queuedDescriptors += descriptors;
        commands.add(message);
      }
    }
    if (tooMany) {
      recycle(message);
      throw new ProtocolException(
          "more commands while it owes a reply than %d bytes and %d descriptors"
              .formatted(limits.queuedBytes(), QUEUED_DESCRIPTORS));
    }
  }

  private enum Received {
    MESSAGE,
    NOTHING,
    END
  }

  /**
   * Receives a message: a short one whole, by one call of the kernel, which may give the beginning
   * of what follows it, too.
   */
  private Received receive(Message message) {
    messageStart = 0;
    long got = fill(message, takeAhead(message), Message.HEADER, Message.INITIAL_CAPACITY);
    if (got <= 0) {
      return got == 0 ? Received.END : Received.NOTHING;
    }
    long size = message.size();
    if (size < Message.HEADER || size > (long) limits.transfer() + OVERHEAD) {
      throw new ProtocolException("a message of " + size + " bytes");
    }
    if (!message.isCommand() && !message.isReply()) {
      throw new ProtocolException("a message that is neither command nor reply");
    }
    if (got > size) {
      putAhead(message, size, got - size);
    } else if (got < size) {
      message.ensure(size);
      fill(message, got, size, size);
    }
    checkDescriptors(message.descriptors().size());
    if (strays.isFull()) {
      throw new ProtocolException(Strays.LIMIT + " descriptors that there is no use for");
    }
    return Received.MESSAGE;
  }

  /**
   * Receives until so much of a message is there.
   *
   * @param got how much is there already
   * @param room for what may be received: if it is more than what is needed, the beginning of the
   *     next messages
   * @return how much is there; 0 at the end of the stream, -1 if nothing at all came for a while
   */
  private long fill(Message message, long got, long needed, long room) {
    long there = got;
    while (there < needed) {
      if (messageStart != 0 && System.nanoTime() - messageStart > limits.patience().toNanos()) {
        throw new ProtocolException("a message that has no end within " + limits.patience());
      }
      earlierDescriptors = message.descriptors().size();
      checkDescriptors(earlierDescriptors);
      long part =
          socket.receive(
              message.bytes(),
              there,
              room - there,
              UnixSocket
                  .MAX_DESCRIPTORS, // so that those too many come here, to be closed as strays
              message.descriptors());
      if (part <= 0 && there == 0) {
        return part;
      }
      if (part == 0) {
        throw new ProtocolException("it left in the middle of a message");
      }
      there += Math.max(part, 0);
      if (messageStart == 0 && there < needed) {
        messageStart = System.nanoTime(); // most messages are there at once, and need no clock
      }
    }
    return there;
  }

  private void checkDescriptors(int number) {
    if (number > limits.descriptors()) {
      throw new ProtocolException("more than %d descriptors".formatted(limits.descriptors()));
    }
  }

  /** Begins a message with what was received ahead; returns how much, in bytes. */
  private long takeAhead(Message message) {
    long taken = aheadSize;
    aheadSize = 0;
    earlierDescriptors = 0;
    if (taken > 0) {
      MemorySegment.copy(ahead, 0, message.bytes(), 0, taken);
      message.descriptors().addAll(aheadDescriptors);
      aheadDescriptors.clear();
    }
    return taken;
  }

  /**
   * Keeps what was received with a message, and follows it. The kernel ends what it gives with the
   * bytes that descriptors were sent with ({@code unix_stream_read_generic}): these are not the
   * message's, but of the one that the last byte is of.
   */
  private void putAhead(Message message, long from, long size) {
    MemorySegment.copy(message.bytes(), from, ahead, 0, size);
    aheadSize = size;
    List<Fd> received = message.descriptors();
    if (earlierDescriptors < received.size()) {
      List<Fd> latest = received.subList(earlierDescriptors, received.size());
      aheadDescriptors.addAll(latest);
      latest.clear();
    }
  }

  /** Nobody will take it any more. With the lock of the turn held, and nobody receiving. */
  private List<Fd> dropAhead() {
    List<Fd> dropped = List.copyOf(aheadDescriptors);
    aheadDescriptors.clear();
    aheadSize = 0;
    return dropped;
  }

  private void checkSound() {
    if (broken != null) {
      throw disconnected();
    }
  }

  /** Breaks the connection, if it was not broken before, and returns what to throw. */
  private DisconnectedException broken(String why, @Nullable Throwable reason) {
    synchronized (turn) {
      if (broken == null) {
        broken = why;
        cause = reason;
      }
      turn.notifyAll();
    }
    try {
      socket.shutdown();
    } catch (LinuxException | ClosedDescriptorException _) {
      // The peer was faster.
    }
    return disconnected();
  }

  private DisconnectedException disconnected() {
    return new DisconnectedException(String.valueOf(broken), cause);
  }

  /** For callers that look again. An interrupt of the thread is put off. */
  @SuppressWarnings("WaitNotInLoop")
  private void await(long nanos) {
    boolean interrupted = Thread.interrupted();
    try {
      turn.wait(Math.max(1, Math.min(nanos / 1_000_000, Integer.MAX_VALUE)));
    } catch (InterruptedException _) {
      interrupted = true;
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static long saturated(Duration duration) {
    return TimeUnit.NANOSECONDS.convert(duration);
  }

  private static void nap() {
    try {
      Thread.sleep(NAP_MILLIS);
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }
}
