package org.gatun.nativeaccess;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a peer sent is taken for a memfd or an eventfd only if it is one. */
class ReceivedDescriptorTest {
  private static final int SIZE = 8192;

  @TempDir Path directory;

  @Test
  void aMemfdIsRecognised() {
    try (Memfd made = Memfd.create("gatun-received")) {
      made.resize(SIZE);
      try (Memfd taken = Memfd.of(passed(made.fd()));
          Mapping mapping = taken.map(SIZE)) {
        assertThat(taken.isHuge()).isFalse();
        assertThat(taken.size()).isEqualTo(SIZE);
        assertThat(taken.isShrinkSealed()).isFalse();
        made.resize(SIZE + 1);
        assertThat(taken.size()).isEqualTo(SIZE + 1);
        made.sealSize();
        assertThat(taken.isShrinkSealed()).isTrue();
        assertThat(taken.isSizeSealed()).isTrue();
        mapping.segment().set(ValueLayout.JAVA_INT, 0, 42);
        assertThat(made.fd().readAt(0, 4)).isEqualTo(42);
      }
      assertThat(made.isHuge()).isFalse();
    }
  }

  @Test
  void aMemfdOfHugePagesIsRecognised() {
    try (Memfd made = hugeOrAbort();
        Memfd taken = Memfd.of(passed(made.fd()))) {
      assertThat(made.isHuge()).isTrue();
      assertThat(taken.isHuge()).isTrue();
      assertThat(taken.size()).isZero();
      long huge = 1L << 21;
      made.resize(huge);
      assertThat(taken.size()).isEqualTo(huge);
      assertThat(taken.isShrinkSealed()).isFalse();
    }
  }

  @Test
  void aFileInMemoryWithANameCanAlwaysShrink() throws IOException {
    Path file = Files.createTempFile(Path.of("/dev/shm"), "gatun", "");
    try (Fd fd = Fd.open(file, Access.READ_WRITE);
        Memfd taken = Memfd.of(passed(fd))) {
      assertThat(taken.isShrinkSealed()).isFalse();
      assertThat(taken.isHuge()).isFalse();
      taken.resize(SIZE);
      assertThat(Files.size(file)).isEqualTo(SIZE);
    } finally {
      Files.delete(file);
    }
  }

  @Test
  void whatIsNoMemfdIsRefused() throws IOException {
    try (EventFd event = EventFd.create("test")) {
      assertRefused(Memfd::of, event.fd(), "a memfd", "anon_inode:[eventfd]");
    }
    assertOthersRefused(Memfd::of, "a memfd");
    try (Fd shm = Fd.open(Path.of("/dev/shm"), Access.READ)) {
      assertRefused(Memfd::of, shm, "a memfd", "/dev/shm");
    }
  }

  @Test
  void whatIsNoEventfdIsRefused() throws IOException {
    try (Memfd memfd = Memfd.create("anon_inode:[eventfd]")) {
      assertRefused(EventFd::of, memfd.fd(), "an eventfd", "/memfd:anon_inode:[eventfd] (deleted)");
    }
    assertOthersRefused(EventFd::of, "an eventfd");
    Path named = Files.createFile(directory.resolve("anon_inode:[eventfd]"));
    try (Fd fd = Fd.open(named, Access.READ_WRITE)) {
      assertRefused(EventFd::of, fd, "an eventfd", named.toRealPath().toString());
    }
  }

  @Test
  void aNameThatThePeerChoseStaysOnItsLine() throws IOException {
    Path named = Files.createFile(directory.resolve("line\nbreak\033[2J"));
    try (Fd fd = Fd.open(named, Access.READ_WRITE)) {
      assertThatThrownBy(() -> EventFd.of(passed(fd)))
          .isInstanceOf(WrongDescriptorException.class)
          .hasMessageEndingWith("line?break?[2J");
    }
  }

  @Test
  void anEventfdIsRecognised() {
    try (EventFd made = EventFd.create("test");
        EventFd taken = EventFd.of(passed(made.fd()))) {
      taken.signal();
      assertThat(made.take()).isEqualTo(1);
      made.signal();
      made.signal();
      assertThat(taken.await(Duration.ofDays(1))).isEqualTo(2);
      assertThat(taken.take()).isZero();
    }
  }

  /** A call is in flight while it is closed, as a thread that waits would have it. */
  @Test
  void closingAReceivedEventfdSignalsNothing() {
    try (EventFd made = EventFd.create("test")) {
      EventFd taken = EventFd.of(passed(made.fd()));
      try (HeldFds held = HeldFds.of(taken.fd())) {
        taken.close();
        assertThat(held.number(0)).isNotNegative();
      }
      assertThat(made.take()).isZero();
    }
  }

  private void assertOthersRefused(Function<Fd, AutoCloseable> of, String wanted)
      throws IOException {
    Path file = Files.createFile(directory.resolve("file"));
    for (Path path :
        List.of(
            file,
            directory,
            Path.of("/dev/null"),
            Path.of("/dev/zero"),
            Path.of("/proc/self/maps"))) {
      try (Fd fd = Fd.open(path, Access.READ)) {
        assertRefused(of, fd, wanted, "/");
      }
    }
    UnixSocket.Pair pair = UnixSocket.pair();
    try (UnixSocket socket = pair.first();
        UnixSocket other = pair.second()) {
      assertRefused(of, socket.fd(), wanted, "socket:[");
      assertThat(other.fd().isClosed()).isFalse();
    }
    Process process = new ProcessBuilder("cat").start();
    try (Fd pipe = Fd.open(Path.of("/proc/" + process.pid() + "/fd/0"), Access.READ)) {
      assertRefused(of, pipe, wanted, "pipe:[");
    } finally {
      process.destroy();
    }
  }

  private static void assertRefused(
      Function<Fd, AutoCloseable> of, Fd fd, String wanted, String kind) {
    Fd passed = passed(fd);
    try (passed) {
      assertThatThrownBy(() -> of.apply(passed))
          .isInstanceOf(WrongDescriptorException.class)
          .hasMessageStartingWith(passed + ": must be " + wanted + ", and is " + kind);
      assertThat(passed.isClosed()).isFalse();
    }
  }

  private static Memfd hugeOrAbort() {
    try {
      return Memfd.createHuge("gatun-received-huge");
    } catch (LinuxException e) {
      return abort("this kernel has no huge pages: " + e.getMessage());
    }
  }

  /** A second descriptor of the same, as a peer would send it. */
  private static Fd passed(Fd fd) {
    UnixSocket.Pair pair = UnixSocket.pair();
    try (Arena arena = Arena.ofConfined();
        UnixSocket from = pair.first();
        UnixSocket to = pair.second()) {
      MemorySegment message = arena.allocate(1);
      List<Fd> received = new ArrayList<>();
      from.send(message, 0, 1, List.of(fd));
      to.receive(message, 0, 1, 1, received);
      return received.getFirst();
    }
  }
}
