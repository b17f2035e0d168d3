package org.gatun.nativeaccess;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class UnixSocketTest {
  private static final Duration SHORT = Duration.ofMillis(5);
  private static final int LARGE = 4 << 20;

  @TempDir Path directory;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment buffer = arena.allocate(64);
  private final List<Fd> received = new ArrayList<>();
  private final UnixSocket.Pair pair = UnixSocket.pair();
  private final UnixSocket first = pair.first();
  private final UnixSocket second = pair.second();
  private Path path;

  @BeforeEach
  void choosePath() {
    path = directory.resolve("socket");
  }

  @AfterEach
  void close() {
    received.forEach(Fd::close);
    first.close();
    second.close();
    arena.close();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 3, 16, UnixSocket.MAX_DESCRIPTORS})
  void passesDescriptorsInOrderBothWays(int count) {
    List<Memfd> files = IntStream.range(0, count).mapToObj(UnixSocketTest::numbered).toList();
    List<Fd> descriptors = files.stream().map(Memfd::fd).toList();
    for (boolean forth : new boolean[] {true, false}) {
      UnixSocket from = forth ? first : second;
      UnixSocket to = forth ? second : first;
      received.clear();
      buffer.set(JAVA_LONG, 8, 0x1122334455667788L);
      from.send(buffer, 8, 8, descriptors);
      buffer.fill((byte) 0);
      assertThat(to.receive(buffer, 16, 48, count, received)).isEqualTo(8);
      assertThat(buffer.get(JAVA_LONG, 16)).isEqualTo(0x1122334455667788L);
      assertThat(buffer.get(JAVA_LONG, 8)).isZero();
      assertThat(received).hasSize(count);
      for (int i = 0; i < count; i++) {
        try (Fd fd = received.get(i)) {
          assertThat(fd.readAt(0, 4)).isEqualTo(i);
        }
      }
    }
    // Passed on, not given away.
    assertThat(descriptors).noneMatch(Fd::isClosed);
    files.forEach(Memfd::close);
  }

  @Test
  void descriptorsComeWithTheFirstByteAlone() {
    try (Memfd file = numbered(7)) {
      first.send(buffer, 0, 8, List.of(file.fd()));
      assertThat(second.receive(buffer, 0, 1, 4, received)).isEqualTo(1);
      assertThat(received).hasSize(1);
      assertThat(second.receive(buffer, 0, 8, 4, received)).isEqualTo(7);
      assertThat(received).hasSize(1);
    }
  }

  @Test
  void allDescriptorsAreClosedOnExec() throws IOException {
    try (Memfd file = numbered(1);
        UnixSocket listener = UnixSocket.listen(path, 1);
        UnixSocket client = UnixSocket.connect(path);
        UnixSocket server = listener.accept()) {
      first.send(buffer, 0, 1, List.of(file.fd()));
      second.receive(buffer, 0, 1, 1, received);
      List<Fd> fds =
          List.of(
              received.getFirst(),
              first.fd(),
              second.fd(),
              listener.fd(),
              client.fd(),
              server.fd());
      try (HeldFds held = HeldFds.of(fds)) {
        for (int i = 0; i < fds.size(); i++) {
          assertThat(Files.readString(Path.of("/proc/self/fdinfo/" + held.number(i))))
              .containsPattern("flags:\\s+02\\d{6}\n");
        }
      }
    }
  }

  /** Odd and even: the kernel rounds the room for descriptors up to an even number. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 15})
  void moreDescriptorsThanAllowedAreClosed(int allowed) throws IOException {
    try (Memfd file = Memfd.create("gatun-too-many")) {
      for (int count : List.of(allowed + 1, allowed + 2, UnixSocket.MAX_DESCRIPTORS)) {
        first.send(buffer, 0, 8, IntStream.range(0, count).mapToObj(_ -> file.fd()).toList());
        assertFails(Errno.EMSGSIZE, () -> second.receive(buffer, 0, 8, allowed, received));
        assertThat(received).isEmpty();
        assertThat(Descriptors.all())
            .filteredOn(target -> target.contains("gatun-too-many"))
            .hasSize(1);
      }
      first.send(buffer, 0, 8, List.of());
      assertThat(second.receive(buffer, 0, 64, allowed, received)).isEqualTo(8);
    }
  }

  @Test
  void descriptorsThatCannotBeHandedOverAreClosed() throws IOException {
    try (Memfd file = Memfd.create("gatun-no-list")) {
      first.send(buffer, 0, 8, List.of(file.fd()));
      assertThatThrownBy(() -> second.receive(buffer, 0, 8, 1, List.of()))
          .isInstanceOf(UnsupportedOperationException.class);
      assertThat(Descriptors.all())
          .filteredOn(target -> target.contains("gatun-no-list"))
          .hasSize(1);
    }
  }

  @Test
  void credentialsThatComeAlongAreNoDescriptors() {
    MemorySegment on = arena.allocateFrom(JAVA_INT, 1);
    try (HeldFds held = HeldFds.of(second.fd());
        Memfd file = numbered(5)) {
      assertThat(Linux.calls().setsockopt(held.number(0), Abi.SOL_SOCKET, Abi.SO_PASSCRED, on))
          .isZero();
      first.send(buffer, 0, 8, List.of());
      assertThat(second.receive(buffer, 0, 8, 16, received)).isEqualTo(8);
      assertThat(received).isEmpty();
      first.send(buffer, 0, 8, List.of(file.fd()));
      assertThat(second.receive(buffer, 0, 8, 16, received)).isEqualTo(8);
      assertThat(received).hasSize(1);
      assertThat(received.getFirst().readAt(0, 4)).isEqualTo(5);
    }
  }

  @Test
  void theStreamEndsWhenThePeerCloses() {
    first.send(buffer, 0, 5, List.of());
    first.close();
    assertThat(second.receive(buffer, 0, 64, 0, received)).isEqualTo(5);
    assertThat(second.receive(buffer, 0, 64, 0, received)).isZero();
    assertThat(second.receive(buffer, 0, 64, 8, received)).isZero();
    assertFails(Errno.EPIPE, () -> second.send(buffer, 0, 1, List.of()));
  }

  @Test
  void whatThePeerDidNotReadIsAnError() {
    second.send(buffer, 0, 5, List.of());
    first.close();
    assertFails(Errno.ECONNRESET, () -> second.receive(buffer, 0, 64, 0, received));
  }

  @Test
  void receivingEndsAtTheLimitAndNotBefore() {
    second.timeouts(SHORT, Duration.ZERO);
    long start = System.nanoTime();
    assertThat(second.receive(buffer, 0, 64, 1, received)).isEqualTo(-1);
    assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(SHORT.toNanos());
    first.send(buffer, 0, 1, List.of());
    assertThat(second.receive(buffer, 0, 64, 1, received)).isEqualTo(1);
  }

  @Test
  void theShortestLimitIsNotForever() {
    second.timeouts(Duration.ofNanos(1), Duration.ofNanos(1));
    assertThat(second.receive(buffer, 0, 64, 1, received)).isEqualTo(-1);
    second.timeouts(Duration.ofSeconds(Long.MAX_VALUE), Duration.ofSeconds(Long.MAX_VALUE));
    first.send(buffer, 0, 1, List.of());
    assertThat(second.receive(buffer, 0, 64, 1, received)).isEqualTo(1);
    assertThatThrownBy(() -> second.timeouts(Duration.ofNanos(-1), Duration.ZERO))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void sendingEndsWhenThePeerMakesNoRoom() {
    MemorySegment large = arena.allocate(LARGE);
    first.timeouts(Duration.ZERO, SHORT);
    assertFails(Errno.ETIMEDOUT, () -> first.send(large, 0, LARGE, List.of()));
  }

  @Test
  void acceptingEndsAtTheLimit() {
    try (UnixSocket listener = UnixSocket.listen(path, 1)) {
      listener.timeouts(SHORT, Duration.ZERO);
      assertFails(Errno.ETIMEDOUT, listener::accept);
    }
  }

  @Test
  void sendsAllToAReaderThatIsSlow() throws Exception {
    MemorySegment large = patterned();
    MemorySegment copy = arena.allocate(LARGE);
    try (Memfd file = numbered(9);
        ExecutorService executor = Executors.newSingleThreadExecutor()) {
      Future<?> sender = executor.submit(() -> first.send(large, 0, LARGE, List.of(file.fd())));
      long done = 0;
      for (int part = 1; done < LARGE; part = part % 5_000 + 1) {
        done += second.receive(copy, done, Math.min(part, LARGE - done), 1, received);
      }
      sender.get();
    }
    assertThat(copy.mismatch(large)).isEqualTo(-1);
    assertThat(received).hasSize(1);
    assertThat(received.getFirst().readAt(0, 4)).isEqualTo(9);
  }

  /**
   * The time-out, the shortest there is, cuts the kernel short, with part of the message sent. To a
   * reader that then has made some room the rest goes on; to one that has not, the message ends
   * early. How fast that is depends on the machine, so each round reads at another pace.
   */
  @Test
  void aMessageTakenInPartsCarriesItsDescriptorsOnce() throws Exception {
    MemorySegment large = patterned();
    MemorySegment copy = arena.allocate(LARGE);
    try (Memfd file = numbered(9);
        ExecutorService executor = Executors.newSingleThreadExecutor()) {
      for (int round = 0; round < 20; round++) {
        int part = 32 + 16 * round;
        UnixSocket.Pair open = UnixSocket.pair();
        try (UnixSocket reader = open.second()) {
          open.first().timeouts(Duration.ZERO, Duration.ofNanos(1));
          Future<Boolean> sender =
              executor.submit(
                  () -> {
                    try (UnixSocket writer = open.first()) {
                      writer.send(large, 0, LARGE, List.of(file.fd()));
                      return true;
                    } catch (LinuxException e) {
                      assertThat(e.errno()).isEqualTo(Errno.ETIMEDOUT);
                      return false;
                    }
                  });
          List<Fd> passed = new ArrayList<>();
          long done = 0;
          long now;
          while ((now = reader.receive(copy, done, Math.min(part, LARGE - done), 8, passed)) > 0) {
            done += now;
            if (done == LARGE) {
              break;
            }
          }
          passed.forEach(Fd::close);
          assertThat(passed).hasSize(1);
          assertThat(done == LARGE).isEqualTo(sender.get());
          assertThat(copy.asSlice(0, done).mismatch(large.asSlice(0, done))).isEqualTo(-1);
        }
      }
    }
  }

  @Test
  void connectsByPath() throws Exception {
    try (UnixSocket listener = UnixSocket.listen(path, 4);
        UnixSocket client = UnixSocket.connect(path);
        UnixSocket server = listener.accept();
        Memfd file = numbered(3)) {
      client.send(buffer, 0, 4, List.of(file.fd()));
      assertThat(server.receive(buffer, 0, 64, 1, received)).isEqualTo(4);
      server.send(buffer, 0, 2, received);
      assertThat(client.receive(buffer, 0, 64, 1, received)).isEqualTo(2);
      assertThat(received).hasSize(2).allMatch(fd -> fd.readAt(0, 4) == 3);

      int uid = (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
      int gid = (int) Files.getAttribute(Path.of("/proc/self"), "unix:gid");
      PeerCredentials ours = new PeerCredentials((int) ProcessHandle.current().pid(), uid, gid);
      assertThat(List.of(client.peer(), server.peer(), first.peer())).containsOnly(ours);

      assertThat(listener).asString().startsWith("listener " + path + " (fd ");
      assertThat(server).asString().startsWith("client of listener " + path);
      assertThat(client).asString().startsWith("socket " + path);
    }
    assertThat(path).exists();
  }

  @Test
  void failuresNameThePath() {
    assertFails(Errno.ENOENT, () -> UnixSocket.connect(path));
    assertThatThrownBy(() -> UnixSocket.connect(path))
        .hasMessage("connect " + path + ": ENOENT 2 (No such file or directory)");
    UnixSocket.listen(path, 1).close();
    assertFails(Errno.ECONNREFUSED, () -> UnixSocket.connect(path));
    assertFails(Errno.EADDRINUSE, () -> UnixSocket.listen(path, 1));
    assertThatThrownBy(() -> UnixSocket.listen(path, 1)).hasMessageStartingWith("bind " + path);
  }

  @Test
  void pathsThatTheKernelCannotTakeAreRefused() {
    int room = 107 - directory.toString().length() - 1;
    Path longest = directory.resolve("x".repeat(room));
    try (UnixSocket listener = UnixSocket.listen(longest, 1);
        UnixSocket client = UnixSocket.connect(longest)) {
      assertThat(longest).exists();
      listener.accept().close();
      assertThat(client.fd().isClosed()).isFalse();
    }
    // The second has fewer characters than bytes.
    for (String name : List.of("x".repeat(room + 1), "x".repeat(room - 1) + "\u00e9")) {
      Path tooLong = directory.resolve(name);
      assertThatThrownBy(() -> UnixSocket.listen(tooLong, 1))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining(tooLong.toString())
          .hasMessageContaining("108 bytes")
          .hasMessageContaining("107");
      assertThatThrownBy(() -> UnixSocket.connect(tooLong))
          .isInstanceOf(IllegalArgumentException.class);
    }
    assertThatThrownBy(() -> UnixSocket.connect(Path.of("")))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void takesOverADescriptor() {
    try (UnixSocket listener = UnixSocket.listen(path, 1);
        UnixSocket client = UnixSocket.connect(path)) {
      UnixSocket accepted = listener.accept();
      // A socket is passed like anything else.
      first.send(buffer, 0, 1, List.of(accepted.fd()));
      second.receive(buffer, 0, 1, 1, received);
      try (UnixSocket passed = UnixSocket.of(received.getFirst())) {
        accepted.close();
        passed.send(buffer, 0, 3, List.of());
        assertThat(client.receive(buffer, 0, 64, 0, received)).isEqualTo(3);
      }
      assertThat(received.getFirst().isClosed()).isTrue();
      assertThat(client.receive(buffer, 0, 64, 0, received)).isZero();
    }
  }

  @Test
  void closingWakesWhoAccepts() throws Exception {
    for (int round = 0; round < 100; round++) {
      UnixSocket listener = UnixSocket.listen(directory.resolve("socket" + round), 1);
      closedWhile(round, listener, listener::accept);
    }
  }

  @Test
  void closingWakesWhoReceives() throws Exception {
    for (int round = 0; round < 100; round++) {
      UnixSocket.Pair open = UnixSocket.pair();
      closedWhile(round, open.first(), () -> open.first().receive(buffer, 0, 64, 1, received));
      open.second().close();
    }
  }

  @Test
  void closingWakesWhoSends() throws Exception {
    MemorySegment large = arena.allocate(LARGE);
    for (int round = 0; round < 20; round++) {
      UnixSocket.Pair open = UnixSocket.pair();
      closedWhile(round, open.first(), () -> open.first().send(large, 0, LARGE, List.of()));
      open.second().close();
    }
  }

  @Test
  void shuttingDownWakesAndDoesNotClose() throws Exception {
    try (UnixSocket listener = UnixSocket.listen(path, 1);
        ExecutorService executor = Executors.newFixedThreadPool(2)) {
      Future<?> accepting = executor.submit(() -> assertFails(Errno.EINVAL, listener::accept));
      Future<Long> receiving =
          executor.submit(() -> first.receive(buffer, 0, 64, 0, new ArrayList<>()));
      listener.shutdown();
      first.shutdown();
      first.shutdown();
      accepting.get();
      assertThat(receiving.get()).isZero();
      assertThat(first.fd().isClosed()).isFalse();
      assertFails(Errno.EPIPE, () -> first.send(buffer, 0, 1, List.of()));
      assertThat(second.receive(buffer, 0, 64, 0, received)).isZero();
    }
  }

  @Test
  void useAfterCloseIsRefused() {
    first.close();
    first.close();
    first.shutdown();
    for (ThrowingCallable call :
        List.<ThrowingCallable>of(
            first::accept,
            first::peer,
            () -> first.timeouts(SHORT, SHORT),
            () -> first.send(buffer, 0, 1, List.of()),
            () -> second.send(buffer, 0, 1, List.of(first.fd())),
            () -> first.receive(buffer, 0, 1, 0, received))) {
      assertThatThrownBy(call).isInstanceOf(ClosedDescriptorException.class);
    }
  }

  @Test
  void memoryThatTheJvmWouldRefuseIsRefused() throws Exception {
    MemorySegment gone;
    try (Arena closed = Arena.ofConfined()) {
      gone = closed.allocate(8);
    }
    MemorySegment heap = MemorySegment.ofArray(new byte[8]);
    assertRefused(IllegalStateException.class, gone, 0, 8);
    assertRefused(IllegalArgumentException.class, heap, 0, 8);
    assertRefused(IllegalArgumentException.class, buffer, 0, 0);
    assertRefused(IllegalArgumentException.class, buffer, 0, -1);
    assertRefused(IndexOutOfBoundsException.class, buffer, 1, 64);
    assertRefused(IndexOutOfBoundsException.class, buffer, -1, 8);
    assertRefused(IndexOutOfBoundsException.class, buffer, 8, Long.MAX_VALUE);
    try (Arena mine = Arena.ofConfined();
        ExecutorService executor = Executors.newSingleThreadExecutor()) {
      MemorySegment confined = mine.allocate(8);
      executor.submit(() -> assertRefused(WrongThreadException.class, confined, 0, 8)).get();
    }
    first.send(buffer, 0, 1, List.of());
    assertThatThrownBy(() -> second.receive(buffer.asReadOnly(), 0, 8, 0, received))
        .isInstanceOf(IllegalArgumentException.class);
    first.send(buffer.asReadOnly(), 0, 1, List.of());
    assertThat(second.receive(buffer, 0, 64, 0, received)).isEqualTo(2);
  }

  @Test
  void countsOfDescriptorsThatTheKernelCannotTakeAreRefused() {
    List<Fd> tooMany =
        IntStream.rangeClosed(0, UnixSocket.MAX_DESCRIPTORS).mapToObj(_ -> first.fd()).toList();
    assertThatThrownBy(() -> first.send(buffer, 0, 1, tooMany))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("254")
        .hasMessageContaining("253");
    for (int count : List.of(-1, 254, Integer.MIN_VALUE)) {
      assertThatThrownBy(() -> first.receive(buffer, 0, 1, count, received))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  private void assertRefused(
      Class<? extends RuntimeException> how, MemorySegment memory, long offset, long length) {
    assertThatThrownBy(() -> first.send(memory, offset, length, List.of())).isInstanceOf(how);
    assertThatThrownBy(() -> first.receive(memory, offset, length, 0, received)).isInstanceOf(how);
  }

  /** Closes it at a moment that differs by round: before the call blocks, and after. */
  private static void closedWhile(int round, UnixSocket socket, ThrowingCallable call)
      throws Exception {
    CountDownLatch running = new CountDownLatch(1);
    try (ExecutorService executor = Executors.newSingleThreadExecutor()) {
      Future<?> blocked =
          executor.submit(
              () -> {
                running.countDown();
                assertThatThrownBy(call).isInstanceOf(ClosedDescriptorException.class);
              });
      running.await();
      for (int i = 0; i < round * 500; i++) {
        Thread.onSpinWait();
      }
      socket.close();
      blocked.get();
    }
  }

  private static void assertFails(Errno errno, ThrowingCallable call) {
    assertThatThrownBy(call)
        .asInstanceOf(type(LinuxException.class))
        .extracting(LinuxException::errno)
        .isEqualTo(errno);
  }

  /** So many bytes that a part which is lost, doubled or misplaced shows. */
  private MemorySegment patterned() {
    MemorySegment memory = arena.allocate(LARGE);
    for (int i = 0; i < LARGE / Integer.BYTES; i++) {
      memory.setAtIndex(JAVA_INT, i, i * 31);
    }
    return memory;
  }

  /** A file whose content is a number. */
  private static Memfd numbered(int number) {
    Memfd file = Memfd.create("gatun-passed");
    file.resize(64);
    file.fd().writeAt(0, 4, number);
    return file;
  }
}
