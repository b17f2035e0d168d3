package org.gatun.nativeaccess;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.gatun.nativeaccess.DmaMemory.Pages;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Of each kind of descriptor and mapping, 10,000 are opened and closed, and nothing is left. */
class LeakTest {
  private static final int TIMES = 10_000;
  private static final long PAGE = Mapping.pageSize();

  @TempDir Path directory;

  @Test
  void files() throws IOException {
    Path file = Files.createFile(directory.resolve("file"));
    assertNothingLeft(() -> Fd.open(file, Access.READ_WRITE).close());
  }

  @Test
  void descriptorsFromIoctls() throws IOException {
    Ioctl getOwner = Ioctl.io("NS_GET_USERNS", 0xb7, 1);
    try (Fd namespace = Fd.open(Path.of("/proc/self/ns/net"), Access.READ)) {
      assertNothingLeft(
          () -> namespace.ioctlForFd(getOwner, MemorySegment.NULL, "user namespace").close());
    }
  }

  @Test
  void eventfds() throws IOException {
    assertNothingLeft(
        () -> {
          try (EventFd event = EventFd.create("leak")) {
            event.signal();
          }
        });
  }

  @Test
  void memfds() throws IOException {
    assertNothingLeft(() -> Memfd.create("gatun-leak").close());
  }

  @Test
  void socketsAndTheDescriptorsTheyPass() throws IOException {
    try (Arena arena = Arena.ofConfined();
        Memfd memfd = Memfd.create("gatun-passed")) {
      MemorySegment message = arena.allocate(1);
      assertNothingLeft(
          () -> {
            UnixSocket.Pair pair = UnixSocket.pair();
            try (UnixSocket first = pair.first();
                UnixSocket second = pair.second()) {
              List<Fd> received = new ArrayList<>();
              first.send(message, 0, 1, List.of(memfd.fd()));
              second.receive(message, 0, 1, 1, received);
              received.getFirst().close();
            }
          });
    }
  }

  @Test
  void connections() throws IOException {
    Path path = directory.resolve("socket");
    try (UnixSocket listener = UnixSocket.listen(path, 1)) {
      assertNothingLeft(
          () -> {
            UnixSocket client = UnixSocket.connect(path);
            listener.accept().close();
            client.close();
          });
    }
    assertNothingLeft(
        () -> {
          try (UnixSocket client = UnixSocket.connect(path)) {
            throw new AssertionError("connected with nobody: " + client);
          } catch (LinuxException e) {
            assertThat(e.errno()).isEqualTo(Errno.ECONNREFUSED);
          }
        });
  }

  @Test
  void fileMappings() throws IOException {
    Path file = Files.write(directory.resolve("gatun-leak"), new byte[(int) PAGE]);
    try (Fd fd = Fd.open(file, Access.READ_WRITE)) {
      assertNothingLeft(() -> Mapping.map(fd, 0, PAGE, Access.READ_WRITE).close());
    }
  }

  @Test
  void mappingsThatFail() throws IOException {
    Path file = Files.write(directory.resolve("gatun-leak"), new byte[(int) PAGE]);
    try (Fd fd = Fd.open(file, Access.READ)) {
      assertNothingLeft(
          () -> {
            try (Mapping mapping = Mapping.map(fd, 1, PAGE, Access.READ)) {
              throw new AssertionError("mapped at an odd offset: " + mapping);
            } catch (LinuxException e) {
              assertThat(e.errno()).isEqualTo(Errno.EINVAL);
            }
          });
    }
  }

  @Test
  void mappingsOfAnArenaThatIsClosed() throws IOException {
    Path file = Files.write(directory.resolve("gatun-leak"), new byte[(int) PAGE]);
    Arena closed;
    try (Arena arena = Arena.ofConfined()) {
      closed = arena;
    }
    try (Fd fd = Fd.open(file, Access.READ)) {
      assertNothingLeft(
          () ->
              assertThatThrownBy(() -> Mapping.map(fd, 0, PAGE, Access.READ, closed))
                  .isInstanceOf(IllegalStateException.class));
    }
  }

  /**
   * The JVM maps anonymous memory too, and the kernel merges what is adjacent: so these mappings
   * are larger than all that the JVM may add meanwhile, and one that is left would show in the sum.
   */
  @Test
  void anonymousMappings() throws IOException {
    long large = 1L << 30;
    assertNothingLeft(() -> Mapping.anonymous(large, 0).close());
  }

  @Test
  void dmaMemory() throws IOException {
    assertNothingLeft(() -> DmaMemory.allocate(PAGE, Pages.NORMAL).close());
  }

  private static void assertNothingLeft(Runnable openAndClose) throws IOException {
    openAndClose.run(); // loads classes, which opens jars
    List<String> descriptors = Descriptors.all();
    long mapped = Descriptors.status("VmSize");
    for (int i = 0; i < TIMES; i++) {
      openAndClose.run();
    }
    assertThat(Descriptors.all()).isEqualTo(descriptors);
    assertThat(Descriptors.mappings("gatun-leak")).isEmpty();
    assertThat(Descriptors.status("VmSize") - mapped).isLessThan(1L << 30);
  }
}
