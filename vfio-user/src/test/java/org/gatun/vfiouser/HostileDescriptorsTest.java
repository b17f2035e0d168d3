package org.gatun.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.gatun.nativeaccess.Access;
import org.gatun.nativeaccess.Errno;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.Memfd;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SpecimenModel;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** As {@link HostileClientTest}, with the memory and the descriptors that a client offers. */
class HostileDescriptorsTest {
  private static final int PAGE = 4096;
  private static final long ADDRESS = 0x1_0000_0000L;
  private static final int SET = RawClient.DATA_EVENTFD | RawClient.ACTION_TRIGGER;

  private final Memfd memory = Memfd.create("hostile");
  private final EventFd event = EventFd.create("test");
  private final Victim victim = new Victim();

  @TempDir private Path directory;

  HostileDescriptorsTest() {
    memory.resize(4 * PAGE);
    memory.sealSize();
  }

  /** The JDK keeps a descriptor from the first TCP socket on. */
  @BeforeAll
  static void openTheFirstSocket() {
    Blocking.SOCKET.create().close();
  }

  @AfterEach
  void close() {
    victim.close();
    event.close();
    memory.close();
  }

  private static int map(RawClient client, long address, long size, Fd... files) {
    return client.errno(RawPeer.DMA_MAP, RawClient.map(3, 0, address, size), files);
  }

  private static int set(RawClient client, int index, int start, Fd... files) {
    return client.errno(
        RawPeer.DEVICE_SET_IRQS,
        RawClient.irqs(SET, index, start, Math.max(1, files.length)),
        files);
  }

  /** What is neither memory nor an eventfd. */
  private List<Fd> others() throws IOException {
    List<Fd> fds = new ArrayList<>(Kernel.pipe());
    UnixSocket.Pair pair = UnixSocket.pair();
    fds.add(pair.first().fd());
    fds.add(pair.second().fd());
    Path file = Files.write(directory.resolve("anon_inode:[eventfd]"), new byte[PAGE]);
    fds.add(Fd.open(file, Access.READ_WRITE));
    for (String path : List.of("/dev/null", "/dev/zero", "/proc/self/maps", "/dev/shm")) {
      fds.add(Fd.open(Path.of(path), Access.READ));
    }
    return fds;
  }

  @Test
  void descriptorsOfAnotherKind() throws IOException {
    List<Fd> others = others();
    try (RawClient client = victim.greeted()) {
      for (Fd other : others) {
        assertThat(map(client, ADDRESS, PAGE, other)).as("%s", other).isEqualTo(RawPeer.EINVAL);
        for (int index = 0; index < 5; index++) {
          assertThat(set(client, index, 0, other)).as("%s", other).isEqualTo(RawPeer.EINVAL);
        }
        assertThat(set(client, RawClient.MSIX, 0, event.fd(), other)).isEqualTo(RawPeer.EINVAL);
      }
      assertThat(map(client, ADDRESS, PAGE, event.fd())).isEqualTo(RawPeer.EINVAL);
      assertThat(set(client, RawClient.MSIX, 0, memory.fd())).isEqualTo(RawPeer.EINVAL);
      assertThat(victim.device().usage()).isEqualTo(PciDevice.Usage.NONE);
    } finally {
      others.forEach(Fd::close);
    }
    victim.assertUnharmed();
  }

  @Test
  void descriptorsThatAreMissingOrTooMany() {
    try (RawClient client = victim.greeted()) {
      assertThat(map(client, ADDRESS, PAGE, memory.fd(), memory.fd())).isEqualTo(RawPeer.EINVAL);
      assertThat(
              client.errno(
                  RawPeer.DEVICE_SET_IRQS,
                  RawClient.irqs(SET, RawClient.MSIX, 0, 1),
                  event.fd(),
                  event.fd()))
          .isEqualTo(RawPeer.EINVAL);
      assertThat(set(client, RawClient.MSIX, 0)).as("takes away what is not there").isZero();
      assertThat(client.errno(RawPeer.DEVICE_GET_INFO, RawClient.info(0), event.fd()))
          .isEqualTo(RawPeer.EINVAL);
      assertThat(client.errno(RawPeer.DEVICE_RESET, new byte[0], memory.fd()))
          .isEqualTo(RawPeer.EINVAL);
      Fd[] many = Collections.nCopies(33, event.fd()).toArray(Fd[]::new);
      client.send(RawPeer.message(1, RawPeer.DEVICE_GET_INFO, 0, RawClient.info(0)), many);
      assertThat(client.isDropped()).isTrue();
    }
    victim.assertUnharmed();
  }

  /** Of the wrong kind, and whoever closes it waits for its maker. */
  @ParameterizedTest
  @EnumSource
  void aDescriptorThatBlocksWhoClosesIt(Blocking kind) {
    try (BlocksWhoCloses blocking = kind.create()) {
      try (RawClient client = victim.greeted()) {
        client.send(
            RawPeer.message(1, RawPeer.DMA_MAP, 0, RawClient.map(3, 0, ADDRESS, PAGE)),
            blocking.fd());
        blocking.letGo();
        assertThat(client.reply(1, RawPeer.DMA_MAP).error()).isEqualTo(RawPeer.EINVAL);
      }
      victim.assertServed();
    }
    victim.assertUnharmed();
  }

  /** The same in a message of too many, for which the client is sent away. */
  @ParameterizedTest
  @EnumSource
  void aDescriptorThatBlocksAmongTooMany(Blocking kind) {
    try (BlocksWhoCloses blocking = kind.create()) {
      Fd[] many = Collections.nCopies(33, event.fd()).toArray(Fd[]::new);
      many[7] = blocking.fd();
      try (RawClient client = victim.greeted()) {
        client.send(RawPeer.message(1, RawPeer.DEVICE_GET_INFO, 0, RawClient.info(0)), many);
        blocking.letGo();
        assertThat(client.isDropped()).isTrue();
      }
      victim.assertServed();
    }
    victim.assertUnharmed();
  }

  /** The same in a message that nobody received: it is closed with the socket. */
  @ParameterizedTest
  @EnumSource
  void aDescriptorThatBlocksAndWasNotReceived(Blocking kind) {
    try (BlocksWhoCloses blocking = kind.create();
        RawClient client = victim.greeted()) {
      byte[] read = RawClient.access(SpecimenModel.MEMORY, 0, 0x10000, new byte[0]);
      for (int i = 0; i < 10; i++) {
        client.send(RawPeer.message(i, RawPeer.REGION_READ, 0, read));
      }
      // The server waits for us to read its replies, and does not read this.
      client.send(
          RawPeer.message(1, RawPeer.DMA_MAP, 0, RawClient.map(3, 0, ADDRESS, PAGE)),
          blocking.fd());
      blocking.letGo();
      victim.assertServed();
    }
    victim.assertUnharmed();
  }

  /** It is full, and whoever adds to it waits. */
  @Test
  void anEventfdThatBlocksWhoSignalsIt() {
    try (EventFd full = EventFd.create("full");
        RawClient client = victim.greeted()) {
      full.fd().write(Long.BYTES, -2);
      Kernel.block(full.fd());
      assertThat(set(client, RawClient.MSIX, 0, full.fd(), event.fd())).isZero();
      for (int i = 0; i < 100; i++) {
        assertThat(client.write32(0, SpecimenModel.INTERRUPT, 0)).isZero();
        assertThat(client.write32(0, SpecimenModel.INTERRUPT, 1)).isZero();
        // Assigned anew, while a signal for the one before may still be due.
        assertThat(set(client, RawClient.MSIX, 1, event.fd())).isZero();
      }
      assertThat(client.read(RawClient.CONFIG_REGION, 0, 2)).isEqualTo(SpecimenModel.ID.vendor());
      victim.assertOthersServed();
    }
    victim.assertUnharmed();
  }

  @ParameterizedTest
  @CsvSource({
    // flags, offset, address, size, errno
    "3, 0, 0x100001000, 0x1000, 17", // overlaps in all ways
    "3, 0, 0x100000000, 0x1000, 17",
    "3, 0, 0x100002000, 0x1000, 17",
    "3, 0, 0xfffff000, 0x2000, 17",
    "3, 0, 0xfffff000, 0x4000, 17",
    "1, 0, 0x100000000, 0x3000, 17",
    "3, 0, 0xfffffffffffff000, 0x2000, 22", // wraps
    "3, 0, 0xfffffffffffff000, 0x7ffffffffffff000, 22",
    "3, 0, 0x7ffffffffffff000, 0x2000, 22",
    "3, 0, 0x200000000, 0, 22", // no sizes
    "3, 0, 0x200000000, 0x8000000000000000, 22",
    "3, 0, 0x200000000, 0xfffffffffffff000, 22",
    "3, 0, 0x200000000, 0x800, 22", // no pages
    "3, 0, 0x200000800, 0x1000, 22",
    "3, 0x800, 0x200000000, 0x1000, 22",
    "3, 0x4000, 0x200000000, 0x1000, 22", // behind the end
    "3, 0x3000, 0x200000000, 0x2000, 22",
    "3, 0x8000000000000000, 0x200000000, 0x1000, 22",
    "3, 0x7ffffffffffff000, 0x200000000, 0x1000, 22",
    "0, 0, 0x200000000, 0x1000, 22", // neither read nor written
    "8, 0, 0x200000000, 0x1000, 22",
    "-1, 0, 0x200000000, 0x1000, 22",
  })
  void memoryThatCannotBeMapped(
      String flags, String offset, String address, String size, int errno) {
    try (RawClient client = victim.greeted()) {
      assertThat(map(client, ADDRESS, 3 * PAGE, memory.fd())).isZero();
      byte[] payload =
          RawClient.map(Integer.decode(flags), number(offset), number(address), number(size));
      assertThat(client.errno(RawPeer.DMA_MAP, payload, memory.fd())).isEqualTo(errno);
      assertThat(victim.device().usage()).isEqualTo(new PciDevice.Usage(0, 1, 3 * PAGE, 0));
    }
    victim.assertUnharmed();
  }

  @ParameterizedTest
  @CsvSource({
    // flags, address, size, errno
    "0, 0x100000000, 0x1000, 22", // a part of the region
    "0, 0x100001000, 0x4000, 22",
    "0, 0xfffff000, 0x2000, 22",
    "0, 0x100001000, 0x1000, 22",
    "0, 0, 0, 22",
    "0, 0x100000001, 0xffffffffffffffff, 22", // round the end
    "0, 0x200000000, 0x1000, 2", // nothing there
    "1, 0x100000000, 0x3000, 95", // with the bitmap of what is dirty
    "2, 0x100000000, 0x3000, 22", // all, and yet one
    "4, 0x100000000, 0x3000, 22",
  })
  void unmapsThatDoNotMatch(String flags, String address, String size, int errno) {
    try (RawClient client = victim.greeted()) {
      assertThat(map(client, ADDRESS, 3 * PAGE, memory.fd())).isZero();
      byte[] payload = RawClient.unmap(Integer.decode(flags), number(address), number(size));
      assertThat(client.errno(RawPeer.DMA_UNMAP, payload)).isEqualTo(errno);
      assertThat(victim.device().usage()).isEqualTo(new PciDevice.Usage(0, 1, 3 * PAGE, 0));
    }
    victim.assertUnharmed();
  }

  private static long number(String text) {
    return Long.parseUnsignedLong(text.replace("0x", ""), text.startsWith("0x") ? 16 : 10);
  }

  @Test
  void memoryThatMayShrink() {
    try (Memfd unsealed = Memfd.create("unsealed");
        RawClient client = victim.greeted()) {
      unsealed.resize(4 * PAGE);
      assertThat(map(client, ADDRESS, PAGE, unsealed.fd())).isEqualTo(RawPeer.EPERM);
      assertThat(map(client, ADDRESS, PAGE, memory.fd())).isZero();
      assertThatThrownBy(() -> memory.resize(0)).isInstanceOf(LinuxException.class);
    }
    victim.assertUnharmed();
  }

  @Test
  void memoryOfHugePages() {
    Memfd huge;
    try {
      huge = Memfd.createHuge("huge");
      huge.resize(2 << 20);
    } catch (LinuxException e) {
      abort("this kernel has no huge pages: " + e.getMessage());
      return;
    }
    try (huge;
        RawClient client = victim.greeted()) {
      assertThat(map(client, ADDRESS, PAGE, huge.fd())).isEqualTo(RawPeer.EPERM);
    }
    victim.assertUnharmed();
  }

  @Test
  void moreMemoryThanItMayHave() {
    Limits usual = Limits.DEFAULT;
    Limits few =
        new Limits(
            usual.descriptors(),
            usual.transfer(),
            3,
            4 * PAGE,
            usual.queuedBytes(),
            Duration.ofMillis(300));
    try (Victim stingy = new Victim("specimen", Victim.options(few))) {
      try (RawClient client = stingy.greeted()) {
        assertThat(map(client, ADDRESS, 3 * PAGE, memory.fd())).isZero();
        long next = ADDRESS + 4 * PAGE;
        assertThat(map(client, next, 2 * PAGE, memory.fd())).isEqualTo(RawPeer.ENOMEM);
        assertThat(client.errno(RawPeer.DMA_UNMAP, RawClient.unmap(0, ADDRESS, 3 * PAGE))).isZero();
        for (int i = 0; i < 3; i++) {
          assertThat(map(client, ADDRESS + (long) i * PAGE, PAGE, memory.fd())).isZero();
        }
        assertThat(map(client, next, PAGE, memory.fd())).isEqualTo(RawPeer.ENOSPC);
        assertThat(client.errno(RawPeer.DMA_UNMAP, RawClient.unmap(2, 0, 0))).isZero();
        assertThat(map(client, next, PAGE, memory.fd())).isZero();
      }
      stingy.assertUnharmed();
    }
  }

  /** With descriptors used up, a client is turned away, and the export goes on. */
  @Test
  void descriptorsThatAreUsedUp() throws Exception {
    List<EventFd> all = new ArrayList<>();
    try (AutoCloseable limit = Kernel.limitDescriptors(Kernel.number(event.fd()) + 200L)) {
      assertThat(limit).isNotNull();
      fill(all);
      all.removeLast().close(); // for the client's end
      all.removeLast().close(); // for the server's, which needs more
      try (RawClient client = victim.connect()) {
        assertThat(client.isDropped()).isTrue();
      }
    } finally {
      all.forEach(EventFd::close);
    }
    victim.assertUnharmed();
  }

  private static void fill(List<EventFd> all) {
    try {
      while (true) {
        all.add(EventFd.create("filler"));
      }
    } catch (LinuxException e) {
      assertThat(e.errno()).isEqualTo(Errno.EMFILE);
    }
  }
}
