package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.OptionalLong;
import java.util.Random;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.simulated.fault.Effect;
import org.gatun.simulated.fault.Fault;
import org.gatun.simulated.fault.Faults;
import org.gatun.simulated.fault.Point;
import org.gatun.specs.virtio.SplitRing;
import org.gatun.specs.virtio.VirtioBlock;
import org.gatun.specs.virtio.VirtioCommon;
import org.gatun.specs.virtio.VirtioFeature;
import org.gatun.specs.virtio.VirtioPci;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Virtio 1.2 by hand, with what no good driver does. */
class VirtioModelTest {
  private static final int BAR = 4;
  private static final long ISR = 0x1000;
  private static final long CONFIG = 0x2000;
  private static final long NOTIFY = 0x3000;
  private static final int ENTRIES = 8;

  // In one buffer: descriptors, rings, a table, a request.
  private static final int AVAILABLE = 0x100;
  private static final int USED = 0x200;
  private static final int TABLE = 0x300;
  private static final int HEADER = 0x400;
  private static final int STATUS = 0x420;
  private static final int DATA = 0x800;

  private final Faults faults = new Faults();
  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private PciDevice device;
  private Mmio registers;
  private DmaBuffer memory;
  private int made;

  @BeforeEach
  void open() {
    open(bus.plug("disk", faults.on(VirtioBlockModel.DEFAULT.withSize(1 << 20))));
  }

  private void open(DeviceName name) {
    device = bus.open(name);
    registers = device.bar(BAR).orElseThrow().map(0, 0x4000);
    memory = device.dma().allocate(0x1000, 0x1000);
    device.busMaster(true);
  }

  @AfterEach
  void close() {
    bus.close();
  }

  private void start(long features) {
    registers.write8(VirtioCommon.STATUS, 0);
    registers.write8(VirtioCommon.STATUS, VirtioCommon.ACKNOWLEDGE | VirtioCommon.DRIVER);
    accept(features);
    registers.write8(
        VirtioCommon.STATUS,
        VirtioCommon.ACKNOWLEDGE | VirtioCommon.DRIVER | VirtioCommon.FEATURES_OK);
    registers.write16(VirtioCommon.QUEUE_SIZE, ENTRIES);
    registers.write64(VirtioCommon.QUEUE_DESCRIPTORS, memory.busAddress());
    registers.write64(VirtioCommon.QUEUE_AVAILABLE, memory.busAddress() + AVAILABLE);
    registers.write64(VirtioCommon.QUEUE_USED, memory.busAddress() + USED);
    registers.write16(VirtioCommon.QUEUE_ENABLE, 1);
    registers.write8(
        VirtioCommon.STATUS,
        VirtioCommon.ACKNOWLEDGE
            | VirtioCommon.DRIVER
            | VirtioCommon.FEATURES_OK
            | VirtioCommon.DRIVER_OK);
  }

  private void accept(long features) {
    registers.write32(VirtioCommon.DRIVER_FEATURE_SELECT, 0);
    registers.write32(VirtioCommon.DRIVER_FEATURE, (int) features);
    registers.write32(VirtioCommon.DRIVER_FEATURE_SELECT, 1);
    registers.write32(VirtioCommon.DRIVER_FEATURE, (int) (features >>> 32));
  }

  private void describe(int at, long address, int length, int flags, int next) {
    memory.putLong(at + SplitRing.ADDRESS, address);
    memory.putInt(at + SplitRing.LENGTH, length);
    memory.putShort(at + SplitRing.FLAGS, (short) flags);
    memory.putShort(at + SplitRing.FOLLOWING, (short) next);
  }

  private void submit(int head) {
    memory.putShort(
        AVAILABLE + SplitRing.ENTRIES + made++ % ENTRIES * SplitRing.AVAILABLE_SIZE, (short) head);
    memory.putShort(AVAILABLE + SplitRing.RING_INDEX, (short) made);
    registers.write16(NOTIFY, 0);
  }

  private int used() {
    return memory.getShortAcquire(USED + SplitRing.RING_INDEX);
  }

  private int status() {
    return memory.getByteAcquire(STATUS);
  }

  private boolean wantsReset() {
    return (registers.read8(VirtioCommon.STATUS) & VirtioCommon.NEEDS_RESET) != 0;
  }

  /** A read of the first sector, in descriptors from one on. */
  private void read(int at, int first, int length) {
    memory.putInt(HEADER + VirtioBlock.TYPE, VirtioBlock.READ);
    memory.putLong(HEADER + VirtioBlock.FIRST_SECTOR, 0);
    memory.putByte(STATUS, (byte) 0x55);
    int size = SplitRing.DESCRIPTOR_SIZE;
    describe(at, memory.busAddress() + HEADER, 16, SplitRing.NEXT, first + 1);
    describe(
        at + size, memory.busAddress() + DATA, length, SplitRing.NEXT | SplitRing.WRITE, first + 2);
    describe(at + 2 * size, memory.busAddress() + STATUS, 1, SplitRing.WRITE, 0);
  }

  /** A write to a sector, in descriptors from the first on. */
  private void write(long sector, int length) {
    read(0, 0, length);
    memory.putInt(HEADER + VirtioBlock.TYPE, VirtioBlock.WRITE);
    memory.putLong(HEADER + VirtioBlock.FIRST_SECTOR, sector);
    describe(SplitRing.DESCRIPTOR_SIZE, memory.busAddress() + DATA, length, SplitRing.NEXT, 2);
  }

  @Test
  void showsItselfAsTheSpecificationSays() {
    assertThat(registers.read16(VirtioCommon.QUEUES)).isEqualTo(1);
    assertThat(registers.read16(VirtioCommon.QUEUE_SIZE)).isEqualTo(256);
    assertThat(registers.read16(VirtioCommon.CONFIG_VECTOR)).isEqualTo(VirtioPci.NO_VECTOR);
    assertThat(registers.read64(CONFIG + VirtioBlock.CAPACITY)).isEqualTo(2048);
    assertThat(registers.read32(CONFIG + VirtioBlock.BLOCK_SIZE)).isEqualTo(512);
    registers.write32(VirtioCommon.DEVICE_FEATURE_SELECT, 1);
    assertThat(registers.read32(VirtioCommon.DEVICE_FEATURE)).isEqualTo(0b11);
    registers.write32(VirtioCommon.DEVICE_FEATURE_SELECT, 2);
    assertThat(registers.read32(VirtioCommon.DEVICE_FEATURE)).isZero();
    registers.write16(VirtioCommon.QUEUE_SELECT, 1);
    assertThat(registers.read16(VirtioCommon.QUEUE_SIZE)).as("no such queue").isZero();
    registers.write16(VirtioCommon.QUEUE_VECTOR, 0);
    assertThat(registers.read16(VirtioCommon.QUEUE_VECTOR)).isZero();
    registers.write16(VirtioCommon.QUEUE_SELECT, 0);
    registers.write16(VirtioCommon.QUEUE_VECTOR, 2);
    assertThat(registers.read16(VirtioCommon.QUEUE_VECTOR)).isEqualTo(VirtioPci.NO_VECTOR);
  }

  /** 4.1.4.9: what can't map a BAR reaches the registers through config space. */
  @Test
  void itsRegistersAreReachedThroughConfigSpace() {
    ConfigSpace config = device.config();
    int window =
        Capabilities.walk(config).list().stream()
            .filter(c -> c.id() == Capability.VENDOR_SPECIFIC)
            .mapToInt(Capability::offset)
            .filter(at -> config.read8(at + VirtioPci.TYPE) == VirtioPci.PCI_CONFIG)
            .findFirst()
            .orElseThrow();
    int data = window + VirtioPci.WINDOW;
    config.write8(window + VirtioPci.BAR, BAR);
    select(window, VirtioCommon.STATUS, 1);
    config.write8(data, VirtioCommon.ACKNOWLEDGE);
    assertThat(registers.read8(VirtioCommon.STATUS)).isEqualTo(VirtioCommon.ACKNOWLEDGE);
    assertThat(config.read8(data)).isEqualTo(VirtioCommon.ACKNOWLEDGE);
    registers.write8(VirtioCommon.STATUS, 0);
    assertThat(bus.hardware(device.name()).read8(data)).as("looked at").isEqualTo(1);
    assertThat(config.read8(data)).as("read").isZero();

    select(window, VirtioCommon.QUEUE_SIZE, 2);
    assertThat(config.read16(data)).isEqualTo(registers.read16(VirtioCommon.QUEUE_SIZE));
    select(window, (int) CONFIG, 4);
    assertThat(config.read32(data)).as("sectors").isEqualTo((1 << 20) / 512);

    config.write32(data, 7);
    for (int[] wrong : new int[][] {{0x4000, 4}, {(int) CONFIG + 2, 4}, {0, 3}, {0, 8}, {-4, 4}}) {
      select(window, wrong[0], wrong[1]);
      config.write32(data, 0x1234);
      assertThat(config.read32(data)).as("%x, %d", wrong[0], wrong[1]).isEqualTo(0x1234);
    }
    config.write8(window + VirtioPci.BAR, 5);
    select(window, 0, 4);
    assertThat(config.read32(data)).isEqualTo(0x1234);
    device.reset();
    assertThat(config.read32(data)).isZero();
  }

  private void select(int window, int offset, int length) {
    device.config().write32(window + VirtioPci.OFFSET, offset);
    device.config().write32(window + VirtioPci.SIZE, length);
  }

  @Test
  void featuresThatItDoesNotOfferAreNotAgreedOn() {
    for (long features : new long[] {0, VirtioFeature.VERSION_1 | 1L << 40}) {
      registers.write8(VirtioCommon.STATUS, 0);
      accept(features);
      registers.write8(VirtioCommon.STATUS, VirtioCommon.FEATURES_OK);
      assertThat(registers.read8(VirtioCommon.STATUS)).as("%x", features).isZero();
    }
  }

  @Test
  void readsInAChainAndInATable() {
    start(VirtioFeature.VERSION_1 | VirtioFeature.INDIRECT_DESCRIPTORS);
    read(0, 0, 512);
    submit(0);
    assertThat(used()).isEqualTo(1);
    assertThat(status()).isEqualTo(VirtioBlock.OK);
    assertThat(memory.getIntAcquire(USED + SplitRing.ENTRIES + 4)).isEqualTo(513);
    read(TABLE, 0, 512);
    describe(5 * 16, memory.busAddress() + TABLE, 3 * 16, SplitRing.INDIRECT, 0);
    submit(5);
    assertThat(used()).isEqualTo(2);
    assertThat(status()).isEqualTo(VirtioBlock.OK);
    assertThat(memory.getIntAcquire(USED + SplitRing.ENTRIES + 8)).isEqualTo(5);
  }

  @Test
  void theInterruptPinIsUpUntilItIsAskedWhy() {
    start(VirtioFeature.VERSION_1);
    read(0, 0, 512);
    submit(0);
    assertThat(registers.read8(ISR)).isEqualTo(VirtioPci.ISR_QUEUE);
    assertThat(registers.read8(ISR)).isZero();
    memory.putShort(AVAILABLE + SplitRing.RING_FLAGS, (short) SplitRing.NO_INTERRUPT);
    submit(0);
    assertThat(used()).isEqualTo(2);
    assertThat(registers.read8(ISR)).as("not wanted").isZero();
  }

  /** Each ends with the device saying so, and a reset makes it well. */
  @ParameterizedTest
  @CsvSource({
    "loop, false",
    "outside, false",
    "behind, false",
    "table, false",
    "table, true",
    "table in a table, true",
    "table of odd size, true",
    "table with something behind, true",
    "more than there is room for, false",
    "descriptors nowhere, false"
  })
  void whatBreaksARuleStopsIt(String what, boolean indirect) {
    start(VirtioFeature.VERSION_1 | (indirect ? VirtioFeature.INDIRECT_DESCRIPTORS : 0));
    read(0, 0, 512);
    long table = memory.busAddress() + TABLE;
    switch (what) {
      case "loop" ->
          describe(32, memory.busAddress() + DATA, 1, SplitRing.NEXT | SplitRing.WRITE, 1);
      case "outside" -> describe(16, memory.busAddress(), 1, SplitRing.NEXT, 0xffff);
      case "behind" -> describe(32, memory.busAddress() + DATA, 1, 0, 0);
      case "table" -> describe(0, table, indirect ? 0 : 48, SplitRing.INDIRECT, 0);
      case "table in a table" -> {
        describe(0, table, 16, SplitRing.INDIRECT, 0);
        describe(TABLE, table, 16, SplitRing.INDIRECT, 0);
      }
      case "table of odd size" -> describe(0, table, 17, SplitRing.INDIRECT, 0);
      case "table with something behind" ->
          describe(0, table, 16, SplitRing.INDIRECT | SplitRing.NEXT, 1);
      case "more than there is room for" -> made = ENTRIES;
      default -> {
        registers.write64(VirtioCommon.QUEUE_DESCRIPTORS, 1L << 40);
      }
    }
    submit(0);
    assertThat(wantsReset()).isTrue();
    assertThat(registers.read8(ISR) & VirtioPci.ISR_CONFIG_CHANGE).isNotZero();
    int before = used();
    submit(0);
    assertThat(used()).as("it does nothing more").isEqualTo(before);

    made = 0;
    memory.copyIn(0, new byte[DATA]);
    start(VirtioFeature.VERSION_1);
    read(0, 0, 512);
    submit(0);
    assertThat(wantsReset()).isFalse();
    assertThat(status()).isEqualTo(VirtioBlock.OK);
  }

  /** Of 2048 sectors. */
  @ParameterizedTest
  @CsvSource({
    "0, 0, 100, 1",
    "0, 2048, 512, 1",
    "0, 2047, 1024, 1",
    "0, 2047, 512, 0",
    "0, -1, 512, 1",
    "0, 9223372036854775807, 512, 1",
    "1, 0, 100, 1",
    "1, 0, 513, 1",
    "1, 2048, 512, 1",
    "1, 2047, 1024, 1",
    "1, 2047, 512, 0",
    "1, -1, 512, 1",
    "1, 9223372036854775807, 512, 1",
    "99, 0, 512, 2",
    "11, 0, 512, 1"
  })
  void aRequestThatCanNotBeIsAnswered(int type, long sector, int length, int expected) {
    start(VirtioFeature.VERSION_1);
    if (type == VirtioBlock.WRITE) {
      write(sector, length);
    } else {
      read(0, 0, length);
    }
    memory.putInt(HEADER + VirtioBlock.TYPE, type);
    memory.putLong(HEADER + VirtioBlock.FIRST_SECTOR, sector);
    submit(0);
    assertThat(used()).isEqualTo(1);
    assertThat(status()).isEqualTo(expected);
    assertThat(wantsReset()).isFalse();
  }

  @Test
  void aWriteBeyondTheEndWritesNothing() {
    start(VirtioFeature.VERSION_1);
    memory.putLong(DATA, 0x1234);
    write(2047, 512);
    submit(0);
    assertThat(status()).isEqualTo(VirtioBlock.OK);
    memory.putLong(DATA, 0x5678);
    for (int length : new int[] {1024, 100, 0x300}) {
      write(2047, length);
      submit(0);
      assertThat(status()).as("%d bytes", length).isEqualTo(VirtioBlock.IO_ERROR);
    }
    read(0, 0, 512);
    memory.putLong(HEADER + VirtioBlock.FIRST_SECTOR, 2047);
    submit(0);
    assertThat(status()).isEqualTo(VirtioBlock.OK);
    assertThat(memory.getLongAcquire(DATA)).isEqualTo(0x1234);
  }

  /** The mapping of what is gone faults. */
  @Test
  void aFileThatIsCutShortIsAnIoError(@TempDir Path folder) throws IOException {
    Path image = Files.write(folder.resolve("disk.img"), new byte[1 << 20]);
    open(bus.plug("file", VirtioBlockModel.DEFAULT.withFile(image)));
    start(VirtioFeature.VERSION_1);
    read(0, 0, 512);
    submit(0);
    assertThat(status()).isEqualTo(VirtioBlock.OK);
    try (FileChannel channel = FileChannel.open(image, StandardOpenOption.WRITE)) {
      channel.truncate(0);
    }
    read(0, 0, 512);
    submit(0);
    assertThat(used()).isEqualTo(2);
    assertThat(status()).isEqualTo(VirtioBlock.IO_ERROR);
    assertThat(wantsReset()).isFalse();
  }

  @Test
  void aRequestThatIsDelayedIsCarriedOutThen() {
    start(VirtioFeature.VERSION_1);
    faults.add(
        Fault.at(Point.COMMAND, new Effect.Delay(Duration.ofSeconds(1)))
            .matching(Fault.command(0, 0))
            .times(1));
    memory.putLong(DATA, 0x77);
    read(0, 0, 512);
    submit(0);
    bus.time().sleep(Duration.ofMillis(999));
    assertThat(used()).isZero();
    assertThat(status()).isEqualTo(0x55);
    assertThat(memory.getLongAcquire(DATA)).isEqualTo(0x77);
    assertThat(registers.read8(ISR)).isZero();

    memory.putByte(TABLE, (byte) 0x55);
    write(5, 512);
    describe(3 * 16, memory.busAddress() + HEADER, 16, SplitRing.NEXT, 4);
    describe(4 * 16, memory.busAddress() + DATA, 512, SplitRing.NEXT, 5);
    describe(5 * 16, memory.busAddress() + TABLE, 1, SplitRing.WRITE, 0);
    submit(3);
    assertThat(memory.getByteAcquire(TABLE)).as("one that overtakes it").isZero();
    assertThat(memory.getIntAcquire(USED + SplitRing.ENTRIES)).isEqualTo(3);
    registers.read8(ISR);

    read(0, 0, 512);
    bus.time().sleep(Duration.ofMillis(1));
    assertThat(used()).isEqualTo(2);
    assertThat(status()).isEqualTo(VirtioBlock.OK);
    assertThat(memory.getLongAcquire(DATA)).isZero();
    assertThat(memory.getIntAcquire(USED + SplitRing.ENTRIES + 8)).isZero();
    assertThat(memory.getIntAcquire(USED + SplitRing.ENTRIES + 12)).isEqualTo(513);
    assertThat(registers.read8(ISR)).isEqualTo(VirtioPci.ISR_QUEUE);
  }

  @Test
  void aResetEndsWhatIsDelayed() {
    start(VirtioFeature.VERSION_1);
    faults.add(Fault.at(Point.COMMAND, new Effect.Delay(Duration.ofMillis(1))));
    for (int i = 0; i < 2 * ENTRIES; i++) {
      read(0, 0, 512);
      submit(0);
    }
    faults.clear();
    read(0, 0, 512);
    submit(0);
    assertThat(used()).as("as many are late as there are entries").isZero();
    registers.write8(VirtioCommon.STATUS, 0);
    bus.time().sleep(Duration.ofMillis(2));
    assertThat(used()).isZero();
    assertThat(status()).isEqualTo(0x55);
  }

  @Test
  void aDeviceThatFailsDoesNotCarryOut() {
    start(VirtioFeature.VERSION_1);
    faults.add(Fault.at(Point.COMMAND, new Effect.Fail()).times(1));
    memory.putLong(DATA, 0x77);
    read(0, 0, 512);
    submit(0);
    assertThat(wantsReset()).isTrue();
    assertThat(used()).isZero();
    assertThat(status()).isEqualTo(0x55);
    assertThat(memory.getLongAcquire(DATA)).isEqualTo(0x77);
    assertThat(registers.read8(ISR)).isEqualTo(VirtioPci.ISR_CONFIG_CHANGE);
  }

  @Test
  void anyRingsDoNotHarmIt() {
    Random random = new Random(4);
    for (int i = 0; i < 2_000; i++) {
      start(VirtioFeature.VERSION_1 | VirtioFeature.INDIRECT_DESCRIPTORS);
      made = random.nextInt(10);
      byte[] bytes = new byte[DATA];
      random.nextBytes(bytes);
      if (random.nextBoolean()) {
        // More of them make sense to a device.
        for (int at = 0; at < bytes.length; at++) {
          bytes[at] = (byte) (random.nextInt(4) == 0 ? bytes[at] & 7 : 0);
        }
      }
      memory.copyIn(0, bytes);
      submit(random.nextInt(ENTRIES));
      registers.read8(ISR);
    }
    made = 0;
    memory.copyIn(0, new byte[DATA]);
    start(VirtioFeature.VERSION_1);
    read(0, 0, 512);
    submit(0);
    assertThat(status()).isEqualTo(VirtioBlock.OK);
  }

  @Test
  void modelsThatThereAreNot() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> VirtioBlockModel.DEFAULT.withBlockSize(1024))
        .withMessageContaining("512 or 4096 bytes, not 1024");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> VirtioBlockModel.DEFAULT.withSize(1000))
        .withMessageContaining("1000 bytes, is not one or more blocks of 512");
    for (long size : new long[] {-512, 0, 511, (1L << 44) + 512, 1L << 53}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> VirtioBlockModel.DEFAULT.withSize(size))
          .withMessage("the size is from 512 to 17592186044416, not " + size);
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> VirtioBlockModel.DEFAULT.withBlockSize(4096).withSize(512))
        .withMessageContaining("512 bytes, is not one or more blocks of 4096");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> VirtioBlockModel.DEFAULT.withSerial("x".repeat(21)));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new VirtioNetworkModel(1L << 40, 1500, NetworkEnd.loop()))
        .withMessageContaining("no address of a single card");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new VirtioNetworkModel(1, 67, NetworkEnd.loop()));
    assertThat(VirtioBlockModel.DEFAULT.withSize(512).size()).isEqualTo(OptionalLong.of(512));
  }
}
