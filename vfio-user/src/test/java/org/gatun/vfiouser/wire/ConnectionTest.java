package org.gatun.vfiouser.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.vfiouser.Holdings;
import org.gatun.vfiouser.Limits;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is received is the same, whatever the kernel makes of it: bytes of a stream. */
class ConnectionTest {
  private static final Duration LIMIT = Duration.ofSeconds(10);

  private final Arena arena = Arena.ofShared();
  private final UnixSocket.Pair pair = UnixSocket.pair();
  private final UnixSocket peer = pair.first();
  private final Connection connection =
      new Connection(pair.second(), Limits.DEFAULT, new Strays("test"));

  @AfterEach
  void close() {
    connection.close();
    peer.close();
    arena.close();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 5, 16, 17, 31, 33, 100, 1000})
  void messagesSentInPiecesOrSeveralAtOnce(int piece) {
    List<Message> sent = List.of(command(1, 16), command(2, 0), command(3, 60), command(4, 1));
    MemorySegment stream = joined(sent);
    for (long at = 0; at < stream.byteSize(); at += piece) {
      peer.send(stream, at, Math.min(piece, stream.byteSize() - at), List.of());
    }
    sent.forEach(this::assertReceived);
  }

  @ParameterizedTest
  @ValueSource(ints = {100, 4095, 4096, 4097, 20_000, 60_000})
  void longMessagesBetweenShortOnes(int size) {
    List<Message> sent =
        List.of(command(1, 16), command(2, size), command(3, 16), command(4, size), command(5, 0));
    MemorySegment stream = joined(sent);
    peer.send(stream, 0, stream.byteSize(), List.of());
    sent.forEach(this::assertReceived);
  }

  @Test
  void descriptorsStayWithTheirMessage() {
    int[] counts = {0, 1, 0, 0, 2, 1};
    int size = Message.HEADER + 8;
    for (int cut = 1; cut < size; cut++) {
      long serial = 1;
      for (int i = 0; i < counts.length; i++) {
        MemorySegment bytes = command(i, 8).bytes();
        try (Events events = new Events(serial, counts[i])) {
          peer.send(bytes, 0, cut, events.fds());
        }
        peer.send(bytes, cut, size - cut, List.of());
        serial += counts[i];
      }
      serial = 1;
      for (int i = 0; i < counts.length; i++) {
        Message received = next();
        assertThat(received.id()).isEqualTo(i);
        List<Fd> fds = received.takeDescriptors();
        assertThat(fds).as("of message %d, cut at %d", i, cut).hasSize(counts[i]);
        for (Fd fd : fds) {
          try (EventFd event = EventFd.of(fd)) {
            assertThat(event.take()).isEqualTo(serial++);
          }
        }
        connection.recycle(received);
      }
    }
  }

  @Test
  void descriptorsThatNobodyTookAreClosed() throws InterruptedException {
    Holdings before = Holdings.settled();
    UnixSocket.Pair other = UnixSocket.pair();
    try (UnixSocket sender = other.first();
        Events events = new Events(1, 1)) {
      Connection receiver = new Connection(other.second(), Limits.DEFAULT, new Strays("receiver"));
      sender.send(command(1, 0).bytes(), 0, Message.HEADER, List.of());
      sender.send(command(2, 0).bytes(), 0, Message.HEADER, events.fds());
      receiver.recycle(Objects.requireNonNull(receiver.nextCommand(LIMIT)));
      receiver.close();
    }
    before.assertAgain();
  }

  @Test
  void commandBehindReplyIsServed() throws InterruptedException {
    CountDownLatch served = new CountDownLatch(1);
    connection.serveWhileWaiting(
        command -> {
          assertThat(command.id()).isEqualTo(77);
          served.countDown();
        });
    Thread idle = Thread.ofPlatform().start(connection::serveIdle);
    Thread replier = Thread.ofPlatform().start(this::replyAndAsk);
    try (Connection.Exchange exchange = connection.begin()) {
      exchange.request(Command.DEVICE_RESET, 0);
      assertThat(exchange.call(0, LIMIT).isReply()).isTrue();
    }
    assertThat(served.await(LIMIT.toSeconds(), TimeUnit.SECONDS)).isTrue();
    replier.join();
    connection.end("the test is over");
    idle.join();
  }

  private void replyAndAsk() {
    Message request = new Message();
    peer.receive(request.bytes(), 0, Message.HEADER, 0, new ArrayList<>());
    MemorySegment both = joined(List.of(new Message().replyTo(request, 0), command(77, 8)));
    peer.send(both, 0, both.byteSize(), List.of());
  }

  private void assertReceived(Message sent) {
    Message received = next();
    assertThat(received.id()).isEqualTo(sent.id());
    assertThat(received.payloadSize()).isEqualTo(sent.payloadSize());
    assertThat(received.payload().mismatch(sent.payload())).isEqualTo(-1);
    connection.recycle(received);
  }

  private Message next() {
    return Objects.requireNonNull(connection.nextCommand(LIMIT));
  }

  private static Message command(int id, int payloadSize) {
    Message message = new Message().posted(Command.REGION_WRITE, id, payloadSize);
    for (int i = 0; i < payloadSize; i++) {
      message.payload(i, 1).fill((byte) (id * 31 + i));
    }
    return message;
  }

  private MemorySegment joined(List<Message> messages) {
    MemorySegment all = arena.allocate(messages.stream().mapToLong(Message::size).sum());
    long at = 0;
    for (Message message : messages) {
      MemorySegment.copy(message.bytes(), 0, all, at, message.size());
      at += message.size();
    }
    return all;
  }

  /** Eventfds with counters of first, first + 1 and so on. */
  private static final class Events implements AutoCloseable {
    private final List<EventFd> events = new ArrayList<>();

    Events(long first, int count) {
      for (long serial = first; serial < first + count; serial++) {
        EventFd event = EventFd.create("event " + serial);
        for (long i = 0; i < serial; i++) {
          event.signal();
        }
        events.add(event);
      }
    }

    List<Fd> fds() {
      return events.stream().map(EventFd::fd).toList();
    }

    @Override
    public void close() {
      events.forEach(EventFd::close);
    }
  }
}
