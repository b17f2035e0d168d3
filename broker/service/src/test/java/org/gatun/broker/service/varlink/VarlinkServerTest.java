package org.gatun.broker.service.varlink;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.gatun.broker.service.varlink.VarlinkInterface.Method;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Bytes on the socket, as {@code varlink.org} has them and as nobody should send them. */
@Timeout(60)
class VarlinkServerTest {
  private static final String PING = "{\"method\":\"org.test.Ping\",\"parameters\":{\"n\":1}}";
  private static final String PONG = "{\"parameters\":{\"n\":1}}";

  private final CountDownLatch left = new CountDownLatch(1);

  @TempDir private Path folder;

  private Path path;
  private VarlinkServer server;

  @BeforeEach
  void listen() throws IOException {
    path = folder.resolve("control");
    server = VarlinkServer.listen(service(), "1", path, Set.of());
  }

  @AfterEach
  void close() {
    server.close();
  }

  private VarlinkInterface service() {
    return new VarlinkInterface(
        "org.test",
        "interface org.test",
        Map.of(
            "Ping",
            (Method.Single) parameters -> parameters.deepCopy(),
            "Break",
            (Method.Single)
                parameters -> {
                  throw new IllegalStateException("broken");
                },
            "Flood",
            (Method.Stream)
                (parameters, replies) -> {
                  ObjectNode large =
                      JsonNodeFactory.instance.objectNode().put("x", "x".repeat(1 << 16));
                  for (int i = 0; i < 3000; i++) {
                    replies.send(large);
                  }
                  return left::countDown;
                }));
  }

  private SocketChannel connect() throws IOException {
    return SocketChannel.open(UnixDomainSocketAddress.of(path));
  }

  private static void send(SocketChannel channel, String text) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(UTF_8));
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  /** All up to the end of the stream, or to that many zero bytes. */
  private static String receive(SocketChannel channel, int messages) throws IOException {
    StringBuilder text = new StringBuilder();
    ByteBuffer one = ByteBuffer.allocate(1);
    int ended = 0;
    while (ended < messages && channel.read(one.clear()) == 1) {
      char c = (char) one.get(0);
      ended += c == 0 ? 1 : 0;
      text.append(c == 0 ? '\n' : c);
    }
    return text.toString();
  }

  private void expectServing() throws IOException {
    try (SocketChannel channel = connect()) {
      send(channel, PING + "\0");
      assertThat(receive(channel, 1)).isEqualTo(PONG + "\n");
    }
  }

  @Test
  void messagesComeInPiecesAndInOnePiece() throws IOException {
    try (SocketChannel channel = connect()) {
      for (char c : (PING + "\0").toCharArray()) {
        send(channel, String.valueOf(c));
      }
      assertThat(receive(channel, 1)).isEqualTo(PONG + "\n");
      send(channel, (PING + "\0").repeat(500));
      assertThat(receive(channel, 500)).isEqualTo((PONG + "\n").repeat(500));
    }
  }

  @Test
  void oneWayIsNotAnswered() throws IOException {
    try (SocketChannel channel = connect()) {
      send(channel, "{\"method\":\"org.test.Ping\",\"oneway\":true}\0" + PING + "\0");
      assertThat(receive(channel, 1)).isEqualTo(PONG + "\n");
    }
  }

  @Test
  void whatBreaksIsAnErrorAndNotTheEnd() throws IOException {
    try (SocketChannel channel = connect()) {
      send(channel, "{\"method\":\"org.test.Break\"}\0" + PING + "\0");
      assertThat(receive(channel, 2))
          .isEqualTo(
              "{\"error\":\"org.test.Failed\",\"parameters\":{\"reason\":\"broken\"}}\n"
                  + PONG
                  + "\n");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\0",
        "7\0",
        "[]\0",
        "{\0",
        "{}{}\0",
        "\u00ff\0",
        "{\"method\":\"org.test.Ping\",\"parameters\":{\"n\":\0",
      })
  void whatIsNoMessageEndsTheConnection(String text) throws IOException {
    try (SocketChannel channel = connect()) {
      send(channel, text);
      assertThat(receive(channel, 1)).isEmpty();
    }
    expectServing();
  }

  @Test
  void whatIsTooDeepEndsTheConnection() throws IOException {
    try (SocketChannel channel = connect()) {
      send(channel, "{\"a\":" + "[".repeat(60_000) + "\0");
      assertThat(receive(channel, 1)).isEmpty();
    }
    expectServing();
  }

  @Test
  void whatIsTooLongEndsTheConnection() throws IOException {
    try (SocketChannel channel = connect()) {
      send(channel, " ".repeat(MessageChannel.LARGEST));
      assertThat(receive(channel, 1)).isEmpty();
    }
    expectServing();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "{\"method\":7}",
        "{\"method\":\"Ping\"}",
        "{\"method\":\"org.test.\"}",
        "{\"method\":\"org.test.Ping.Ping\"}",
        "{\"method\":\".\"}",
        "{\"method\":\"org.varlink.service.Nothing\"}",
        "{\"method\":\"org.varlink.service.GetInterfaceDescription\"}",
        "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":[]}",
        "{\"method\":\"org.test.Flood\"}",
        "{\"method\":\"org.test.Flood\",\"more\":true,\"oneway\":true}",
      })
  void whatMakesNoSenseIsAnError(String call) throws IOException {
    try (SocketChannel channel = connect()) {
      // What is not to be answered is not, so the next one is.
      send(channel, call + "\0" + PING + "\0");
      String answer = receive(channel, call.contains("oneway") ? 1 : 2);
      if (!call.contains("oneway")) {
        assertThat(answer).startsWith("{\"error\":\"org.varlink.service.");
      }
      assertThat(answer).endsWith(PONG + "\n");
    }
  }

  @Test
  void whoDoesNotReadIsSentAway() throws Exception {
    try (SocketChannel channel = connect()) {
      send(channel, "{\"method\":\"org.test.Flood\",\"more\":true}\0");
      left.await();
      expectServing();
    }
  }

  @Test
  void halfMessagesHoldUpNobody() throws IOException {
    try (SocketChannel one = connect();
        SocketChannel other = connect()) {
      send(one, "{");
      send(other, PING);
      expectServing();
      send(other, "\0");
      assertThat(receive(other, 1)).isEqualTo(PONG + "\n");
    }
  }

  @Test
  void thereIsALimitToCallers() throws IOException {
    SocketChannel[] channels = new SocketChannel[64];
    for (int i = 0; i < channels.length; i++) {
      channels[i] = connect();
      send(channels[i], PING + "\0");
      assertThat(receive(channels[i], 1)).isEqualTo(PONG + "\n");
    }
    try (SocketChannel oneMore = connect()) {
      assertThat(receive(oneMore, 1)).isEmpty();
    }
    for (SocketChannel channel : channels) {
      channel.close();
    }
    // Until it has noticed that they left.
    boolean served = false;
    while (!served) {
      try (SocketChannel channel = connect()) {
        send(channel, PING + "\0");
        served = receive(channel, 1).equals(PONG + "\n");
      } catch (IOException e) {
        assertThat(e).hasMessageContaining("Broken pipe");
      }
    }
  }

  @Test
  void onlyWhoMayCallCanEvenConnectWhereNoUsersAreNamed() throws IOException {
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
        .isEqualTo("rw-------");
  }

  @Test
  void othersThanTheUsersAreRefused() throws Exception {
    Path open = pathForOthers();
    try (VarlinkServer _ = VarlinkServer.listen(service(), "1", open, Set.of("daemon"))) {
      assertThat(callAs("daemon", open)).isEqualTo(PONG);
      assertThat(callAs("games", open))
          .isEqualTo("{\"error\":\"org.varlink.service.PermissionDenied\",\"parameters\":{}}");
    }
  }

  /** Whoever comes, and stays without a word: the others are served. */
  @Test
  void whoMayNotCallKeepsNobodyOut() throws Exception {
    Path open = pathForOthers();
    try (VarlinkServer _ = VarlinkServer.listen(service(), "1", open, Set.of("daemon"))) {
      String program =
          """
          use IO::Socket::UNIX;
          my @s = map { IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "connect: $!" } 1 .. 70;
          # Those beyond the limit are sent away, and the last of them was accepted last.
          sysread($s[-1], my $nothing, 1) and die "not sent away";
          $| = 1;
          print "connected\n";
          <STDIN>;
          """;
      Process stranger = perlAs("games", program, open.toString());
      try (BufferedReader output = stranger.inputReader()) {
        assertThat(output.readLine()).isEqualTo("connected");
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(open))) {
          send(channel, PING + "\0");
          assertThat(receive(channel, 1)).isEqualTo(PONG + "\n");
        }
        assertThat(callAs("daemon", open)).isEqualTo(PONG);
      } finally {
        stranger.destroyForcibly().waitFor();
      }
    }
  }

  @Test
  void whoMayNotCallIsSentAwayWithTheAnswer() throws Exception {
    Path open = pathForOthers();
    try (VarlinkServer _ = VarlinkServer.listen(service(), "1", open, Set.of("daemon"))) {
      String program =
          """
          use IO::Socket::UNIX;
          my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "connect: $!";
          syswrite($s, $ARGV[1] . "\\0");
          local $/;
          print <$s>;
          """;
      Process stranger = perlAs("games", program, open.toString(), PING);
      // All that there is up to the end of the connection.
      assertThat(new String(stranger.getInputStream().readAllBytes(), UTF_8))
          .contains("PermissionDenied");
      assertThat(stranger.waitFor()).isZero();
    }
  }

  /** Where other users can connect; the test is skipped if this one can't be them. */
  private Path pathForOthers() throws IOException {
    assumeThat(System.getProperty("user.name"))
        .as("only root can be other users: run the tests as root")
        .isEqualTo("root");
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
    return folder.resolve("open");
  }

  private static Process perlAs(String user, String program, String... arguments)
      throws IOException {
    List<String> words =
        new ArrayList<>(
            List.of("setpriv", "--reuid=" + user, "--clear-groups", "perl", "-e", program));
    words.addAll(List.of(arguments));
    return new ProcessBuilder(words).redirectErrorStream(true).start();
  }

  private static String callAs(String user, Path socket) throws Exception {
    String program =
        """
        use IO::Socket::UNIX;
        my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "connect: $!";
        syswrite($s, $ARGV[1] . "\\0");
        $/ = "\\0";
        my $reply = <$s>;
        chomp $reply;
        print $reply;
        """;
    Process process = perlAs(user, program, socket.toString(), PING);
    String reply = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertThat(process.waitFor()).as(reply).isZero();
    return reply;
  }

  @Test
  void itIsGoneWhenClosed() throws IOException {
    try (SocketChannel channel = connect()) {
      send(channel, PING + "\0");
      receive(channel, 1);
      server.close();
      assertThat(receive(channel, 1)).isEmpty();
    }
    assertThat(path).doesNotExist();
  }
}
