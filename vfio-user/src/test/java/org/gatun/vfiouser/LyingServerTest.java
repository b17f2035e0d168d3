package org.gatun.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import java.util.function.UnaryOperator;
import org.gatun.nativeaccess.Errno;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.Memfd;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.pci.Bar;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.TimeSource;
import org.gatun.pci.Vector;
import org.gatun.vfiouser.RawPeer.Received;
import org.gatun.vfiouser.RawServer.Answer;
import org.gatun.vfiouser.RawServer.Lie;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What good servers never answer: the device can't be opened, or is gone, and says so soon; nothing
 * of it is left afterwards.
 */
class LyingServerTest {
  private static final Limits LIMITS = Victim.limits(Duration.ofMillis(200));
  private static final Lie HONEST = (_, honest) -> honest;

  private final Holdings before = Holdings.ofProcess();

  /** The JDK keeps a descriptor from the first TCP socket on. */
  @BeforeAll
  static void openTheFirstSocket() {
    Blocking.SOCKET.create().close();
  }

  private static PciDevice open(RawServer server) {
    return new VfioUserBackend(LIMITS).open(server.name());
  }

  /** A lie to one command, from its first occurrence on. */
  private static Lie to(int command, Lie lie) {
    return (request, honest) ->
        request.command() == command ? lie.instead(request, honest) : honest;
  }

  private static Lie payload(int command, UnaryOperator<byte[]> change) {
    return to(
        command,
        (request, honest) ->
            RawServer.reply(
                request,
                change.apply(
                    Arrays.copyOfRange(honest.bytes(), RawPeer.HEADER, honest.bytes().length))));
  }

  private void assertCannotBeOpened(Lie lie) {
    try (RawServer server = new RawServer(lie)) {
      assertThatThrownBy(() -> open(server)).isInstanceOf(DeviceUnavailableException.class);
    }
    before.assertAgain();
  }

  /** Opens, and tries all there is: it works, or is an error that a driver expects. */
  private void assertHarmless(Lie lie) {
    try (RawServer server = new RawServer(lie)) {
      try (PciDevice device = open(server)) {
        for (Bar bar : device.bars()) {
          for (Bar.Range range : bar.ranges()) {
            try (Mmio registers = bar.map(range.offset(), 4)) {
              registers.write32(0, 42);
              assertThat(registers.read32(0)).isEqualTo(42);
            } catch (PciException e) {
              assertThat(e).hasMessageContaining(server.name().text());
            }
          }
        }
      } catch (DeviceUnavailableException e) {
        assertThat(e).hasMessageContaining(server.name().text());
      }
    }
    before.assertAgain();
  }

  @Test
  void anHonestServerIsBelieved() {
    try (RawServer server = new RawServer(HONEST);
        PciDevice device = open(server);
        Mmio registers = device.bar(0).orElseThrow().map(0, RawServer.BAR_SIZE)) {
      assertThat(registers.read32(0)).isEqualTo(42);
      assertThat(device.config().read32(0)).isEqualTo(0x11e8_1234);
    }
    before.assertAgain();
  }

  @Test
  void versions() {
    for (byte[] payload :
        List.of(
            RawClient.version(1, 0, "{}"),
            RawClient.version(0xffff, 0xffff, "{}"),
            RawClient.version(0, 2, "{}"),
            RawClient.version(0, 0xffff, "{}"),
            RawClient.version(0, 1, "{"),
            RawClient.version(0, 1, "[]"),
            RawClient.version(0, 1, "{\"a\":" + "[".repeat(20000)),
            RawClient.version(0, 1, "{\"capabilities\":{\"max_msg_fds\":-1}}"),
            RawClient.version(0, 1, "{\"capabilities\":{\"max_data_xfer_size\":1}}"),
            RawClient.version(0, 1, "{\"org.gatun\":{\"usable_bus_addresses\":[[\"2\",\"1\"]]}}"),
            new byte[3],
            new byte[0])) {
      assertCannotBeOpened(payload(RawPeer.VERSION, _ -> payload));
    }
    for (String json :
        List.of(
            "{\"capabilities\":{\"pgsizes\":4611686018427387904}}",
            "{\"capabilities\":{\"max_msg_fds\":0,\"max_dma_maps\":0}}",
            "{\"org.gatun\":{\"usable_bus_addresses\":[[\"0\",\"ffffffffffffffff\"]]}}",
            "{\"org.gatun\":{\"usable_bus_addresses\":[[\"1\",\"2\"],[\"1\",\"2\"]]}}",
            "{\"org.gatun\":{\"usable_bus_addresses\":[[\"fffffffffffff001\","
                + "\"ffffffffffffffff\"]]}}")) {
      assertHarmless(payload(RawPeer.VERSION, _ -> RawClient.version(0, 1, json)));
    }
  }

  /** Whatever it is that comes instead of a reply, to whichever command. */
  @ParameterizedTest
  @ValueSource(
      ints = {
        RawPeer.VERSION,
        RawPeer.DEVICE_GET_INFO,
        RawPeer.DEVICE_GET_REGION_INFO,
        RawPeer.REGION_READ,
        RawPeer.DEVICE_RESET
      })
  void whatIsNoReply(int command) {
    assertCannotBeOpened(to(command, (_, _) -> Answer.NOTHING));
    assertCannotBeOpened(to(command, (_, _) -> Answer.LEAVE));
    assertCannotBeOpened(to(command, (request, _) -> RawServer.error(request, 5)));
    assertCannotBeOpened(to(command, (request, _) -> RawServer.error(request, -1)));
    assertCannotBeOpened(to(command, (request, _) -> RawServer.error(request, 0x7fff_ffff)));
    List<BiConsumer<ByteBuffer, Received>> lies =
        List.of(
            (bytes, request) -> bytes.putShort(0, (short) (request.id() + 1)),
            (bytes, request) -> bytes.putShort(2, (short) (request.command() + 1)),
            (bytes, _) -> bytes.putInt(8, 0),
            (bytes, _) -> bytes.putInt(8, 2),
            (bytes, _) -> bytes.putInt(8, 15),
            (bytes, _) -> bytes.putInt(4, 0),
            (bytes, _) -> bytes.putInt(4, 15),
            (bytes, _) -> bytes.putInt(4, -1),
            (bytes, _) -> bytes.putInt(4, 0x7fff_ffff));
    for (BiConsumer<ByteBuffer, Received> lie : lies) {
      assertCannotBeOpened(
          to(
              command,
              (request, honest) -> {
                byte[] bytes = honest.bytes().clone();
                lie.accept(ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN), request);
                return Answer.of(bytes);
              }));
    }
  }

  @ParameterizedTest
  @ValueSource(
      ints = {
        RawPeer.VERSION,
        RawPeer.DEVICE_GET_INFO,
        RawPeer.DEVICE_GET_REGION_INFO,
        RawPeer.DEVICE_GET_IRQ_INFO,
        RawPeer.DEVICE_SET_IRQS,
        RawPeer.REGION_READ,
        RawPeer.REGION_WRITE,
        RawPeer.DEVICE_RESET
      })
  void aReplyThatIsCutAtAnyByte(int command) {
    AtomicInteger whole = new AtomicInteger(RawPeer.HEADER);
    for (int i = 0; i < whole.get(); i++) {
      int length = i;
      assertHarmless(
          to(
              command,
              (_, honest) -> {
                whole.set(honest.bytes().length);
                return new Answer(Arrays.copyOf(honest.bytes(), length), List.of(), true);
              }));
    }
    for (int length : new int[] {1, RawPeer.HEADER - 1, whole.get() - 1}) {
      assertHarmless(to(command, (_, honest) -> Answer.of(Arrays.copyOf(honest.bytes(), length))));
    }
  }

  @Test
  void devicesThatCannotBe() {
    for (byte[] info :
        List.of(
            Bytes.of().u32(16).u32(0).u32(9).u32(5).get(),
            Bytes.of().u32(16).u32(3).u32(0).u32(5).get(),
            Bytes.of().u32(16).u32(3).u32(-1).u32(5).get(),
            Bytes.of().u32(16).u32(3).u32(0x7fff_ffff).u32(5).get(),
            Bytes.of().u32(16).u32(3).u32(9).u32(-1).get(),
            Bytes.of().u32(16).u32(3).u32(9).u32(0x7fff_ffff).get(),
            new byte[15])) {
      assertCannotBeOpened(payload(RawPeer.DEVICE_GET_INFO, _ -> info));
    }
    assertHarmless(
        payload(RawPeer.DEVICE_GET_INFO, _ -> Bytes.of().u32(-1).u32(-1).u32(9).u32(0).get()));
    assertHarmless(
        payload(RawPeer.DEVICE_GET_IRQ_INFO, _ -> Bytes.of().u32(16).u32(-1).u32(0).u32(-1).get()));
    // Config space of all ones, and one whose capabilities have no end.
    for (int value : new int[] {0xff, 0x40, 0x10, 0x05, 0x11}) {
      assertHarmless(
          payload(
              RawPeer.REGION_READ,
              honest -> {
                Arrays.fill(honest, 16, honest.length, (byte) value);
                return honest;
              }));
    }
  }

  /**
   * Another number of vectors each time it is asked: a driver is to find those that it was told.
   */
  @Test
  void vectorsThatComeAndGo() {
    AtomicInteger asked = new AtomicInteger();
    try (RawServer server =
            new RawServer(
                to(
                    RawPeer.DEVICE_GET_IRQ_INFO,
                    (request, _) ->
                        RawServer.reply(
                            request,
                            Bytes.of()
                                .u32(16)
                                .u32(1)
                                .u32(request.data().getInt(8))
                                .u32(asked.getAndIncrement() < 5 ? 4 : 0)
                                .get())));
        PciDevice device = open(server)) {
      assertThat(device.interrupts().count(Interrupts.Kind.MSIX)).isEqualTo(4);
      assertThat(device.interrupts().count(Interrupts.Kind.MSIX)).isEqualTo(4);
      assertThat(device.interrupts().enable(Interrupts.Kind.MSIX, 4)).hasSize(4);
    }
    before.assertAgain();
  }

  /** What a server may say of BAR 0, and of config space. */
  private static Lie region(int index, byte[] info, Fd... files) {
    return to(
        RawPeer.DEVICE_GET_REGION_INFO,
        (request, honest) ->
            request.data().getInt(8) == index ? RawServer.reply(request, info, files) : honest);
  }

  @Test
  void regionsThatCannotBe() {
    for (long size : new long[] {3, 1, 0x1800, (1L << 40) + 1}) {
      assertCannotBeOpened(region(0, RawServer.region(3, 0, 0, size, 0)));
    }
    for (long size : new long[] {-1, 1L << 62, 1L << 56, 1L << 40, 4}) {
      assertHarmless(region(0, RawServer.region(3, 0, 0, size, 0)));
      assertHarmless(region(0, RawServer.region(-1, 0, -1, size, -1)));
    }
    for (long size : new long[] {0, 1, 255, -1}) {
      assertCannotBeOpened(region(7, RawServer.region(3, 7, 0, size, 0)));
    }
    assertCannotBeOpened(region(0, new byte[31]));
    assertHarmless(region(0, RawServer.region(-1, 99, 32, 4096, Long.MAX_VALUE)));
  }

  /** It always says that there is more than was asked for. */
  @Test
  void aRegionThatGrows() {
    AtomicInteger asked = new AtomicInteger();
    assertHarmless(
        to(
            RawPeer.DEVICE_GET_REGION_INFO,
            (request, honest) -> {
              byte[] bytes = honest.bytes().clone();
              ByteBuffer.wrap(bytes)
                  .order(ByteOrder.LITTLE_ENDIAN)
                  .putInt(RawPeer.HEADER, request.data().getInt(0) + 1);
              asked.incrementAndGet();
              return Answer.of(bytes);
            }));
    assertThat(asked.get()).isLessThanOrEqualTo(2 * 7);
  }

  private static byte[] sparse(int next, int areas, long... offsetsAndSizes) {
    Bytes bytes = Bytes.of().raw(RawServer.region(15, 0, 32, 4096, 0));
    bytes.u16(1).u16(1).u32(next).u32(areas).u32(0);
    for (long value : offsetsAndSizes) {
      bytes.u64(value);
    }
    return bytes.get();
  }

  @Test
  void capabilitiesThatCannotBe() {
    try (Memfd file = Memfd.create("bar")) {
      file.resize(4096);
      for (byte[] info :
          List.of(
              sparse(32, 1, 0, 4096),
              sparse(0, 0),
              sparse(0, -1),
              sparse(0, -1, 0, 4096),
              sparse(0, 2, -4096, 4096, 4096, -4096),
              sparse(0, 1, 0, Long.MAX_VALUE),
              sparse(0, 1, 1L << 62, 1L << 62),
              Bytes.of().raw(RawServer.region(15, 0, 31, 4096, 0)).zeros(64).get(),
              Bytes.of().raw(RawServer.region(15, 0, 33, 4096, 0)).zeros(64).get(),
              Bytes.of().raw(RawServer.region(15, 0, -1, 4096, 0)).zeros(64).get(),
              Bytes.of().raw(RawServer.region(15, 0, 32, 4096, 0)).u16(2).u16(1).u32(32).get(),
              Bytes.of().raw(RawServer.region(15, 0, 32, 4096, 0)).u16(2).u16(1).u32(-8).get(),
              Bytes.of().raw(RawServer.region(15, 0, 90, 4096, 0)).zeros(64).get())) {
        Holdings now = Holdings.ofProcess();
        try (RawServer server = new RawServer(region(0, info, file.fd()))) {
          use(server);
        }
        now.assertAgain();
      }
    }
    before.assertAgain();
  }

  private static void use(RawServer server) {
    try (PciDevice device = open(server)) {
      Bar bar = device.bar(0).orElseThrow();
      try (Mmio registers = bar.map(0, 4)) {
        registers.write32(0, 42);
        assertThat(registers.read32(0)).isEqualTo(42);
      }
    }
  }

  /** What can't be mapped is reached by messages, or not at all. */
  @Test
  void filesThatAreShortOrNone() {
    for (long offset : new long[] {0, 4096, 1L << 40}) {
      try (Memfd file = Memfd.create("bar")) {
        file.resize(offset == 4096 ? 4096 : 4095);
        byte[] info = RawServer.region(7, 0, 0, 4096, offset);
        Holdings now = Holdings.ofProcess();
        try (RawServer server = new RawServer(region(0, info, file.fd()))) {
          use(server);
        }
        try (RawServer server = new RawServer(region(0, info, file.fd(), file.fd()))) {
          use(server);
        }
        try (RawServer server = new RawServer(region(0, info))) {
          use(server);
        }
        now.assertAgain();
      }
    }
    before.assertAgain();
  }

  /** What is no memory is not mapped, and not asked for anything: its maker might not answer. */
  @ParameterizedTest
  @EnumSource
  void filesOfAnotherKind(Blocking kind) {
    byte[] info = RawServer.region(7, 0, 0, 4096, 0);
    for (Fd file : Kernel.pipe()) {
      try (RawServer server = new RawServer(region(0, info, file))) {
        use(server);
      } finally {
        file.close();
      }
    }
    try (BlocksWhoCloses blocking = kind.create()) {
      for (Lie lie :
          List.of(
              region(0, info, blocking.fd()),
              region(0, info, blocking.fd(), blocking.fd()),
              region(7, RawServer.region(7, 7, 0, 256, 0), blocking.fd()),
              to(RawPeer.REGION_READ, (_, honest) -> Answer.of(honest.bytes(), blocking.fd())),
              doorbells(1, List.of(doorbell(0, 4, 0, 0, 1, 1)), blocking.fd()))) {
        try (RawServer server = new RawServer(lie)) {
          use(server);
        }
      }
      blocking.letGo();
    }
    before.assertAgain();
  }

  /**
   * The mapping is there, its memory is not: an error, late perhaps, but not the end of the JVM.
   */
  @Test
  void memoryThatShrinks() {
    try (Memfd file = Memfd.create("bar")) {
      file.resize(4096);
      Holdings now = Holdings.ofProcess();
      try (RawServer server =
          new RawServer(region(0, RawServer.region(7, 0, 0, 4096, 0), file.fd()))) {
        try (PciDevice device = open(server);
            Mmio registers = device.bar(0).orElseThrow().map(0, 4)) {
          registers.write32(0, 42);
          file.resize(0);
          assertThatThrownBy(() -> registers.read32(0))
              .isInstanceOfAny(DeviceGoneException.class, InternalError.class);
          assertThatThrownBy(() -> registers.write32(0, 1))
              .isInstanceOfAny(DeviceGoneException.class, InternalError.class);
          assertThat(device.config().read16(0)).isEqualTo(0x1234);
        }
      }
      now.assertAgain();
    }
    before.assertAgain();
  }

  private static Lie doorbells(int count, List<Bytes> entries, Fd... files) {
    Bytes payload = Bytes.of().u32(16 + 40 * entries.size()).u32(0).u32(0).u32(count);
    entries.forEach(entry -> payload.raw(entry.get()));
    return to(
        RawPeer.DEVICE_GET_REGION_IO_FDS,
        (request, honest) ->
            request.data().getInt(8) == 0
                ? RawServer.reply(request, payload.get(), files)
                : honest);
  }

  private static Bytes doorbell(
      long offset, long size, int descriptor, int type, int flags, long value) {
    return Bytes.of().u64(offset).u64(size).u32(descriptor).u32(type).u32(flags).u32(0).u64(value);
  }

  @Test
  void aDoorbellIsBelieved() {
    try (EventFd rung = EventFd.create("doorbell")) {
      try (RawServer server =
              new RawServer(doorbells(1, List.of(doorbell(8, 4, 0, 0, 1, 1)), rung.fd()));
          PciDevice device = open(server);
          Mmio registers = device.bar(0).orElseThrow().map(0, 16)) {
        registers.write32(8, 2);
        assertThat(rung.take()).isZero();
        registers.write32(8, 1);
        assertThat(rung.take()).isEqualTo(1);
      }
    }
    before.assertAgain();
  }

  /** Writes there are messages, then. */
  @Test
  void doorbellsThatCannotBe() {
    Bytes good = doorbell(8, 4, 0, 0, 1, 1);
    try (EventFd rung = EventFd.create("doorbell");
        Memfd memory = Memfd.create("no doorbell")) {
      Holdings now = Holdings.ofProcess();
      for (Lie lie :
          List.of(
              doorbells(0, List.of(good), rung.fd()),
              doorbells(1, List.of(), rung.fd()),
              doorbells(-1, List.of(), rung.fd()),
              doorbells(0x7fff_ffff, List.of(), rung.fd()),
              doorbells(1, List.of(good)),
              doorbells(1, List.of(good), memory.fd()),
              doorbells(1, List.of(doorbell(8, 4, 1, 0, 1, 1)), rung.fd()),
              doorbells(1, List.of(doorbell(8, 4, -1, 0, 1, 1)), rung.fd()),
              doorbells(1, List.of(doorbell(8, 4, 0, 1, 1, 1)), rung.fd()),
              doorbells(1, List.of(doorbell(8, 4, 0, -1, 1, 1)), rung.fd()),
              doorbells(1, List.of(doorbell(8, 4, 0, 0, 0, 1)), rung.fd()),
              doorbells(1, List.of(doorbell(8, 4, 0, 0, 3, 1)), rung.fd()),
              doorbells(1, List.of(doorbell(8, 3, 0, 0, 1, 1)), rung.fd()),
              doorbells(1, List.of(doorbell(8, 0, 0, 0, 1, 1)), rung.fd()),
              doorbells(1, List.of(doorbell(8, -4, 0, 0, 1, 1)), rung.fd()),
              doorbells(1, List.of(doorbell(8, 1L << 62, 0, 0, 1, 1)), rung.fd()),
              doorbells(1, List.of(doorbell(6, 4, 0, 0, 1, 1)), rung.fd()),
              doorbells(1, List.of(doorbell(-8, 4, 0, 0, 1, 1)), rung.fd()),
              doorbells(1, List.of(doorbell(4096, 4, 0, 0, 1, 1)), rung.fd()),
              doorbells(1, List.of(doorbell(Long.MAX_VALUE - 3, 4, 0, 0, 1, 1)), rung.fd()))) {
        try (RawServer server = new RawServer(lie);
            PciDevice device = open(server);
            Mmio registers = device.bar(0).orElseThrow().map(0, 16)) {
          registers.write32(8, 1);
          assertThat(registers.read32(0)).isEqualTo(42);
        }
        assertThat(rung.take()).isZero();
        now.assertAgain();
      }
    }
    for (int shorter = 0; shorter < 16; shorter++) {
      byte[] cut = new byte[shorter];
      assertCannotBeOpened(
          to(RawPeer.DEVICE_GET_REGION_IO_FDS, (request, _) -> RawServer.reply(request, cut)));
    }
    before.assertAgain();
  }

  @Test
  void descriptorsWithWhatTakesNone() {
    try (Memfd file = Memfd.create("none")) {
      Holdings now = Holdings.ofProcess();
      try (RawServer server =
              new RawServer((_, honest) -> new Answer(honest.bytes(), List.of(file.fd()), false));
          PciDevice device = open(server)) {
        assertThat(device.config().read16(0)).isEqualTo(0x1234);
      }
      now.assertAgain();
    }
    before.assertAgain();
  }

  /** Opens from an honest server that begins to lie then, and hears of its end. */
  private void assertGone(Lie lie, BiConsumer<RawServer, PciDevice> use) {
    AtomicBoolean lying = new AtomicBoolean();
    CountDownLatch gone = new CountDownLatch(1);
    try (RawServer server =
            new RawServer(
                (request, honest) -> lying.get() ? lie.instead(request, honest) : honest);
        PciDevice device = open(server)) {
      device.onDetach(
          new DetachListener() {
            @Override
            public void requested(Duration deadline) {}

            @Override
            public void gone(String cause) {
              gone.countDown();
            }
          });
      lying.set(true);
      use.accept(server, device);
      assertThat(gone.await(10, TimeUnit.SECONDS)).as("hears that it is gone").isTrue();
      assertThatThrownBy(() -> device.config().read32(0)).isInstanceOf(DeviceGoneException.class);
      assertThatThrownBy(() -> device.dma().allocate(4096, 4096)).isInstanceOf(PciException.class);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
    before.assertAgain();
  }

  /** Who begins to listen when the server has gone hears that. */
  @Test
  void aListenerThatComesLate() throws InterruptedException {
    CountDownLatch gone = new CountDownLatch(2);
    DetachListener listener =
        new DetachListener() {
          @Override
          public void requested(Duration deadline) {}

          @Override
          public void gone(String cause) {
            gone.countDown();
          }
        };
    try (RawServer server = new RawServer(HONEST);
        PciDevice device = open(server)) {
      device.onDetach(listener);
      server.client().close();
      assertThatThrownBy(
              () -> {
                while (true) {
                  device.config().read32(0);
                }
              })
          .isInstanceOf(DeviceGoneException.class);
      while (gone.getCount() == 2) {
        Thread.onSpinWait();
      }
      device.onDetach(listener);
      assertThat(gone.getCount()).isZero();
    }
    before.assertAgain();
  }

  /** It answers each call in time, and so late that many of them take for ever. */
  @Test
  @Timeout(30)
  void itIsSlowWhenClosing() {
    Lie lie =
        to(
            RawPeer.DMA_UNMAP,
            (_, honest) -> {
              TimeSource.system().sleep(LIMITS.patience().dividedBy(2));
              return honest;
            });
    try (RawServer server = new RawServer(lie)) {
      PciDevice device = open(server);
      for (int i = 0; i < 500; i++) {
        device.dma().allocate(4096, 4096);
      }
      device.close();
    }
    before.assertAgain();
  }

  private static void assertReadFails(PciDevice device) {
    assertThatThrownBy(() -> device.config().read32(0)).isInstanceOf(DeviceGoneException.class);
    try (Mmio registers = device.bar(0).orElseThrow().map(0, 4)) {
      assertThatThrownBy(() -> registers.read32(0)).isInstanceOf(DeviceGoneException.class);
    }
  }

  /** The server has the client's eventfds, too: it makes them block, and leaves them empty. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  @Timeout(60)
  void interruptEventsThatBlock(boolean full) {
    Lie lie =
        to(
            RawPeer.DEVICE_SET_IRQS,
            (request, honest) -> {
              for (Fd file : request.files()) {
                Kernel.block(file);
                if (full) {
                  file.write(Long.BYTES, -2);
                }
              }
              return honest;
            });
    try (RawServer server = new RawServer(lie)) {
      PciDevice device = open(server);
      Vector vector = device.interrupts().enable(Interrupts.Kind.MSIX, 1).getFirst();
      assertThat(vector.await(Duration.ofMillis(50))).isEqualTo(full);
      assertThat(vector.poll()).isFalse();
      vector.mask(true);
      vector.mask(false);
      assertThat(vector.poll()).as("what came while it was masked").isEqualTo(full);
      Thread waiter =
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      while (true) {
                        vector.await(Duration.ofMinutes(5)); // the test has one
                      }
                    } catch (DeviceGoneException e) {
                      // It is closed.
                    }
                  });
      device.close();
      try {
        waiter.join();
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }
    before.assertAgain();
  }

  /** So many files that it takes for ever to close that the client gives up, and is not stuck. */
  @Test
  @Timeout(60)
  void filesWithoutEnd() {
    try (BlocksWhoCloses blocking = Blocking.SOCKET.create()) {
      Fd file = blocking.fd();
      Fd[] files = new Fd[8];
      Arrays.fill(files, file);
      Lie lie = to(RawPeer.REGION_READ, (_, honest) -> Answer.of(honest.bytes(), files));
      try (RawServer server = new RawServer(lie)) {
        PciDevice device = open(server);
        try (Mmio registers = device.bar(0).orElseThrow().map(0, 4)) {
          assertThatThrownBy(
                  () -> {
                    while (true) {
                      registers.read32(0);
                    }
                  })
              .isInstanceOf(DeviceGoneException.class);
        }
        device.close();
      }
      blocking.letGo();
    }
    before.assertAgain();
  }

  /** Nobody accepts: the queue is full, and connecting ends all the same. */
  @Test
  @Timeout(60)
  void aQueueThatIsFull(@TempDir Path folder) {
    Path path = folder.resolve("queue.sock");
    List<UnixSocket> waiting = new ArrayList<>();
    try (UnixSocket _ = UnixSocket.listen(path, 1)) {
      try {
        while (true) {
          waiting.add(UnixSocket.connect(path, Duration.ofMillis(100)));
        }
      } catch (LinuxException e) {
        assertThat(e.errno()).isEqualTo(Errno.ETIMEDOUT);
      }
      DeviceName name = new DeviceName(VfioUserBackend.SCHEME, path.toString());
      assertThatThrownBy(() -> new VfioUserBackend(LIMITS).open(name))
          .isInstanceOf(DeviceUnavailableException.class)
          .hasMessageContaining("one client at a time");
    } finally {
      waiting.forEach(UnixSocket::close);
    }
    before.assertAgain();
  }

  @Test
  void itDies() {
    assertGone(HONEST, (server, _) -> server.client().close());
    assertGone((_, _) -> Answer.LEAVE, (_, device) -> assertReadFails(device));
    assertGone(
        (_, honest) -> new Answer(Arrays.copyOf(honest.bytes(), 20), List.of(), true),
        (_, device) -> assertReadFails(device));
  }

  @Test
  void itRepliesNoMore() {
    assertGone((_, _) -> Answer.NOTHING, (_, device) -> assertReadFails(device));
    assertGone(
        (_, honest) -> Answer.of(Arrays.copyOf(honest.bytes(), 20)),
        (_, device) -> assertReadFails(device));
  }

  @Test
  void itRepliesToNothing() {
    for (int flags : new int[] {RawPeer.REPLY, RawPeer.REPLY | RawPeer.ERROR, 2, 15}) {
      assertGone(
          HONEST,
          (server, _) ->
              server.client().send(RawPeer.message(1, RawPeer.REGION_READ, flags, new byte[16])));
    }
    assertGone(HONEST, (server, _) -> server.client().send(new byte[RawPeer.HEADER]));
  }

  @Test
  void readsOfOtherSizes() {
    for (int count : new int[] {0, 1, 3, 5, -1, 0x7fff_ffff}) {
      try (RawServer server =
              new RawServer(
                  to(
                      RawPeer.REGION_READ,
                      (request, honest) ->
                          request.data().getInt(8) == 0
                              ? RawServer.reply(request, RawClient.access(0, 0, count, new byte[8]))
                              : honest));
          PciDevice device = open(server);
          Mmio registers = device.bar(0).orElseThrow().map(0, 4)) {
        assertThatThrownBy(() -> registers.read32(0)).isInstanceOf(DeviceGoneException.class);
      }
    }
    before.assertAgain();
  }

  /** It stops reading in the middle of writes that wait for no reply. */
  @Test
  void itReadsNoMore() {
    CountDownLatch over = new CountDownLatch(1);
    assertGone(
        to(
            RawPeer.REGION_WRITE,
            (_, honest) -> {
              try {
                over.await();
              } catch (InterruptedException e) {
                throw new AssertionError(e);
              }
              return honest;
            }),
        (_, device) -> {
          try (Mmio registers = device.bar(0).orElseThrow().map(0, 4)) {
            assertThatThrownBy(
                    () -> {
                      while (true) {
                        registers.write32(0, 1);
                      }
                    })
                .isInstanceOf(DeviceGoneException.class);
          } finally {
            over.countDown();
          }
        });
  }

  /** It asks for memory that it was not given, or for what a client has not. */
  @Test
  void itAsksForWhatIsNotItsOwn() throws InterruptedException {
    BlockingQueue<Received> replies = new LinkedBlockingQueue<>();
    try (RawServer server = new RawServer(HONEST, replies::add);
        PciDevice device = open(server);
        DmaBuffer buffer = device.dma().allocate(4096, 4096)) {
      long at = buffer.busAddress();
      long[][] outside = {
        {at - 1, 1},
        {at - 8, 16},
        {at, 4097},
        {at + 4095, 2},
        {at + 4096, 1},
        {0, 8},
        {-1, 1},
        {at, -1},
        {at, Long.MAX_VALUE},
        {at, Long.MIN_VALUE},
        {at, 1L << 32},
        {-8, 16}
      };
      for (long[] range : outside) {
        for (int command : new int[] {RawPeer.DMA_READ, RawPeer.DMA_WRITE}) {
          byte[] payload = Bytes.of().u64(range[0]).u64(range[1]).zeros(32).get();
          server.client().send(RawPeer.message(7, command, RawPeer.COMMAND, payload));
          Received reply = replies.take();
          assertThat(reply.isError()).as("%x, %x", range[0], range[1]).isTrue();
          assertThat(reply.error()).isEqualTo(RawPeer.EINVAL);
        }
      }
      for (int command : new int[] {0, 1, RawPeer.REGION_READ, 14, 99, 0xffff}) {
        server.client().send(RawPeer.message(7, command, RawPeer.COMMAND, new byte[32]));
        assertThat(replies.take().error()).isEqualTo(RawPeer.EINVAL);
      }
      byte[] shorter = Bytes.of().u64(at).u64(64).zeros(63).get();
      server.client().send(RawPeer.message(7, RawPeer.DMA_WRITE, RawPeer.COMMAND, shorter));
      assertThat(replies.take().error()).isEqualTo(RawPeer.EINVAL);
      byte[] inside = Bytes.of().u64(at + 4092).u64(4).u32(0x12345678).get();
      server.client().send(RawPeer.message(7, RawPeer.DMA_WRITE, RawPeer.COMMAND, inside));
      assertThat(replies.take().isError()).isFalse();
      server
          .client()
          .send(RawPeer.message(7, RawPeer.DMA_READ, RawPeer.COMMAND, Arrays.copyOf(inside, 16)));
      assertThat(replies.take().payload()).isEqualTo(inside);
    }
    before.assertAgain();
  }
}
