package org.gatun.nativeaccess;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FdTest {
  /** How many bytes there are to read; the argument is a pointer to an int. */
  private static final Ioctl FIONREAD = new Ioctl("FIONREAD", 0x541b);

  /** The type of a namespace, as the result. */
  private static final Ioctl NS_GET_NSTYPE = Ioctl.io("NS_GET_NSTYPE", 0xb7, 3);

  /** The user namespace that owns a namespace, as a new descriptor. */
  private static final Ioctl NS_GET_USERNS = Ioctl.io("NS_GET_USERNS", 0xb7, 1);

  @TempDir Path directory;

  @Test
  void opensWithCloseOnExec() throws IOException {
    Path file = Files.writeString(directory.resolve("file"), "text");
    try (Fd fd = Fd.open(file, Access.READ);
        HeldFds held = HeldFds.of(fd)) {
      int number = held.number(0);
      assertThat(Path.of("/proc/self/fd/" + number).toRealPath()).isEqualTo(file.toRealPath());
      assertThat(Files.readString(Path.of("/proc/self/fdinfo/" + number)))
          .containsPattern("flags:\\s+0?2\\d00000\n");
      assertThat(fd).hasToString(file + " (fd " + number + ")");
    }
  }

  @Test
  void writesWhatHasNoOffsets() {
    try (EventFd event = EventFd.create("test")) {
      event.fd().write(8, 3);
      assertThat(event.take()).isEqualTo(3);
      assertThatThrownBy(() -> event.fd().write(4, 1))
          .asInstanceOf(type(LinuxException.class))
          .extracting(LinuxException::errno)
          .isEqualTo(Errno.EINVAL);
      assertThatThrownBy(() -> event.fd().write(3, 1)).isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void opensForWritingAlone() throws IOException {
    Path file = Files.writeString(directory.resolve("file"), "text");
    try (Fd fd = Fd.open(file, Access.WRITE)) {
      fd.writeAt(0, 1, 'n');
      assertThatThrownBy(() -> fd.readAt(0, 1))
          .asInstanceOf(type(LinuxException.class))
          .extracting(LinuxException::errno)
          .isEqualTo(Errno.EBADF);
    }
    assertThat(file).hasContent("next");
  }

  @Test
  void waitsForTheFirstThatCanBeRead() {
    try (EventFd event = EventFd.create("test");
        Memfd file = Memfd.create("gatun-readable")) {
      assertThat(Fd.awaitReadable(List.of(event.fd()), Duration.ZERO)).isEmpty();
      // A file can always be read.
      assertThat(Fd.awaitReadable(List.of(event.fd(), file.fd()), Duration.ofDays(1))).hasValue(1);
      event.signal();
      assertThat(Fd.awaitReadable(List.of(event.fd(), file.fd()), Duration.ofDays(1))).hasValue(0);
      file.fd().close();
      assertThatThrownBy(() -> Fd.awaitReadable(List.of(event.fd(), file.fd()), Duration.ZERO))
          .isInstanceOf(ClosedDescriptorException.class);
    }
  }

  @Test
  void openingWhatIsMissingNamesThePath() {
    Path missing = directory.resolve("missing");
    assertThatThrownBy(() -> Fd.open(missing, Access.READ_WRITE))
        .hasMessage("open " + missing + ": ENOENT 2 (No such file or directory)")
        .asInstanceOf(type(LinuxException.class))
        .satisfies(
            e -> {
              assertThat(e.errno()).isEqualTo(Errno.ENOENT);
              assertThat(e.number()).isEqualTo(2);
              assertThat(e.call()).isEqualTo("open");
              assertThat(e.target()).isEqualTo(missing.toString());
            });
  }

  @Test
  void anIoctlThatTheDeviceLacksIsNamed() throws IOException {
    Path file = Files.createFile(directory.resolve("file"));
    try (Fd fd = Fd.open(file, Access.READ)) {
      assertThatThrownBy(() -> fd.ioctl(NS_GET_NSTYPE))
          .hasMessage("ioctl NS_GET_NSTYPE " + fd + ": ENOTTY 25 (Inappropriate ioctl for device)")
          .asInstanceOf(type(LinuxException.class))
          .extracting(LinuxException::errno)
          .isEqualTo(Errno.ENOTTY);
    }
  }

  @Test
  void ioctlsPassNumbersAndPointersAndReturnResults() throws IOException {
    Path file = Files.writeString(directory.resolve("file"), "seven..");
    try (Arena arena = Arena.ofConfined();
        Fd fd = Fd.open(file, Access.READ);
        Fd namespace = Fd.open(Path.of("/proc/self/ns/net"), Access.READ)) {
      MemorySegment count = arena.allocate(ValueLayout.JAVA_INT);
      assertThat(fd.ioctl(FIONREAD, count)).isZero();
      assertThat(count.get(ValueLayout.JAVA_INT, 0)).isEqualTo(7);
      assertThat(namespace.ioctl(NS_GET_NSTYPE)).isEqualTo(0x40000000);
    }
  }

  @Test
  void anIoctlCanReturnADescriptor() {
    try (Fd namespace = Fd.open(Path.of("/proc/self/ns/net"), Access.READ);
        Fd owner = namespace.ioctlForFd(NS_GET_USERNS, MemorySegment.NULL, "user namespace")) {
      assertThat(owner.ioctl(NS_GET_NSTYPE)).isEqualTo(0x10000000);
      assertThat(owner.toString()).startsWith("user namespace (fd ");
    }
  }

  @Test
  void heapMemoryIsRefused() throws IOException {
    Path file = Files.createFile(directory.resolve("file"));
    try (Fd fd = Fd.open(file, Access.READ)) {
      MemorySegment heap = MemorySegment.ofArray(new byte[8]);
      assertThatThrownBy(() -> fd.ioctl(FIONREAD, heap))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void memoryOfAClosedArenaIsRefused() throws IOException {
    Path file = Files.createFile(directory.resolve("file"));
    MemorySegment closed;
    try (Arena arena = Arena.ofShared()) {
      closed = arena.allocate(8);
    }
    try (Fd fd = Fd.open(file, Access.READ)) {
      assertThatThrownBy(() -> fd.ioctl(FIONREAD, closed))
          .isInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void registersAreReadAndWrittenLittleEndianAtTheirWidth() throws IOException {
    Path file =
        Files.write(
            directory.resolve("file"),
            new byte[] {0, 1, 2, 3, 4, 5, 6, 7, (byte) 0xf8, -1, -1, -1});
    try (Fd fd = Fd.open(file, Access.READ_WRITE)) {
      assertThat(fd.readAt(8, 1)).isEqualTo(0xf8);
      assertThat(fd.readAt(8, 2)).isEqualTo(0xfff8);
      assertThat(fd.readAt(8, 4)).isEqualTo(0xfffffff8L);
      assertThat(fd.readAt(1, 8)).isEqualTo(0xf807060504030201L);
      fd.writeAt(0, 1, 0x1122334455667788L);
      assertThat(Files.readAllBytes(file)).startsWith(0x88, 1, 2);
      fd.writeAt(0, 2, 0x1122334455667788L);
      assertThat(Files.readAllBytes(file)).startsWith(0x88, 0x77, 2);
      fd.writeAt(0, 4, 0x1122334455667788L);
      assertThat(Files.readAllBytes(file)).startsWith(0x88, 0x77, 0x66, 0x55, 4);
      fd.writeAt(0, 8, 0x1122334455667788L);
      assertThat(Files.readAllBytes(file))
          .startsWith(0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0xf8);
      assertThatThrownBy(() -> fd.readAt(0, 3)).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> fd.writeAt(0, 16, 0)).isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void aRegisterThatIsCutShortIsAnError() throws IOException {
    Path file = Files.write(directory.resolve("file"), new byte[6]);
    try (Fd fd = Fd.open(file, Access.READ)) {
      assertThatThrownBy(() -> fd.readAt(4, 4))
          .hasMessage("pread " + fd + ": transferred 2 of 4 bytes at offset 0x4")
          .asInstanceOf(type(LinuxException.class))
          .extracting(LinuxException::errno)
          .isEqualTo(Errno.NONE);
    }
  }

  @Test
  void writingWhatIsOpenForReadingFails() throws IOException {
    Path file = Files.write(directory.resolve("file"), new byte[8]);
    try (Fd fd = Fd.open(file, Access.READ)) {
      assertThatThrownBy(() -> fd.writeAt(0, 4, 0))
          .asInstanceOf(type(LinuxException.class))
          .extracting(LinuxException::errno)
          .isEqualTo(Errno.EBADF);
    }
  }

  @Test
  void useAfterCloseIsRefused() throws IOException {
    Path file = Files.write(directory.resolve("file"), new byte[8]);
    Fd fd = Fd.open(file, Access.READ_WRITE);
    assertThat(fd.isClosed()).isFalse();
    fd.close();
    fd.close();
    assertThat(fd.isClosed()).isTrue();
    assertThatThrownBy(() -> fd.readAt(0, 4))
        .isInstanceOf(ClosedDescriptorException.class)
        .hasMessage("pread " + fd + ": closed");
    assertThatThrownBy(() -> fd.writeAt(0, 4, 0)).isInstanceOf(ClosedDescriptorException.class);
    assertThatThrownBy(() -> fd.ioctl(NS_GET_NSTYPE))
        .isInstanceOf(ClosedDescriptorException.class)
        .hasMessageContaining("NS_GET_NSTYPE");
    assertThatThrownBy(() -> fd.ioctl(FIONREAD, MemorySegment.NULL))
        .isInstanceOf(ClosedDescriptorException.class);
    assertThatThrownBy(() -> HeldFds.of(fd)).isInstanceOf(ClosedDescriptorException.class);
    assertThatThrownBy(() -> Mapping.map(fd, 0, 8, Access.READ))
        .isInstanceOf(ClosedDescriptorException.class);
  }

  @Test
  void closingWhatSomebodyElseClosedIsAnError() {
    Fd fd = new Fd(1_000_000_000, "nothing");
    assertThatThrownBy(fd::close)
        .hasMessage("close nothing (fd 1000000000): EBADF 9 (Bad file descriptor)");
    fd.close();
  }

  @Test
  void aHeldDescriptorIsClosedAtTheEnd() throws IOException {
    Path file = Files.writeString(directory.resolve("file"), "text");
    Fd fd = Fd.open(file, Access.READ);
    HeldFds held = HeldFds.of(List.of(fd, fd));
    Path open = Path.of("/proc/self/fd/" + held.number(1));
    fd.close();
    assertThat(open.toRealPath()).isEqualTo(file.toRealPath());
    assertThatThrownBy(() -> fd.readAt(0, 4)).isInstanceOf(ClosedDescriptorException.class);
    held.close();
    held.close();
    assertThat(Files.exists(open, LinkOption.NOFOLLOW_LINKS) && Files.isSameFile(open, file))
        .isFalse();
    assertThatThrownBy(() -> held.number(0)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void holdingAClosedDescriptorHoldsNone() throws IOException {
    Path file = Files.writeString(directory.resolve("file"), "text");
    Fd open = Fd.open(file, Access.READ);
    Fd closed = Fd.open(file, Access.READ);
    closed.close();
    assertThatThrownBy(() -> HeldFds.of(List.of(open, closed)))
        .isInstanceOf(ClosedDescriptorException.class);
    open.close();
    assertThat(Descriptors.of(file)).isEmpty();
  }

  /** Readers never see the file that got a closed descriptor's number. */
  @Test
  void closingUnderCallsDoesNotRedirectThem() throws Exception {
    int mine = 0x600d;
    int strangers = 0xbad;
    Path ours = directory.resolve("ours");
    Path other = directory.resolve("other");
    writeInt(ours, mine);
    writeInt(other, strangers);
    AtomicBoolean done = new AtomicBoolean();
    AtomicReference<Fd> current = new AtomicReference<>(Fd.open(ours, Access.READ));
    try (ExecutorService readers = Executors.newFixedThreadPool(2)) {
      Callable<Integer> reader =
          () -> {
            int closed = 0;
            while (!done.get()) {
              Fd fd = current.get();
              try {
                while (true) {
                  assertThat(fd.readAt(0, 4)).isEqualTo(mine);
                }
              } catch (ClosedDescriptorException e) {
                closed++;
              }
            }
            return closed;
          };
      List<Future<Integer>> results = List.of(readers.submit(reader), readers.submit(reader));
      for (int round = 0; round < 2_000; round++) {
        Fd next = Fd.open(ours, Access.READ);
        Fd previous = current.getAndSet(next);
        previous.close();
        // Takes the numbers that are free now: one of them was the closed descriptor's.
        List<Fd> taken = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
          taken.add(Fd.open(other, Access.READ));
        }
        taken.forEach(Fd::close);
      }
      done.set(true);
      current.get().close();
      for (Future<Integer> result : results) {
        assertThat(result.get()).isPositive();
      }
    }
    assertThat(Descriptors.of(ours)).isEmpty();
    assertThat(Descriptors.of(other)).isEmpty();
  }

  private static void writeInt(Path file, int value) throws IOException {
    Files.createFile(file);
    try (Fd fd = Fd.open(file, Access.READ_WRITE)) {
      fd.writeAt(0, 4, value);
    }
  }
}
