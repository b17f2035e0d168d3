package org.gatun.simulated.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Event;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.Vector;
import org.gatun.simulated.SimulatedBackend;
import org.gatun.simulated.SimulatedBus;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a replayed device demands and tolerates, by recordings that are written by hand. */
class ReplayedDeviceTest {
  private static final String HEADER =
      """
      gatun-recording 1
      device vfio:0000:01:00.0
      config 256 = 34125678 00*252
      vectors INTX = 1
      vectors MSI = 0
      vectors MSIX = 4
      bar 0 memory 0x1000
      bar 2 io 0x20
      usable 0x0 0xfedfffff

      """;

  private static final DeviceName NAME = DeviceName.parse("simulated:replay");

  @TempDir private Path folder;
  private final SimulatedBus bus = SimulatedBus.virtualTime();

  @AfterEach
  void closeBus() {
    bus.close();
  }

  private Path file(String... lines) throws IOException {
    return Files.writeString(folder.resolve("recording"), HEADER + String.join("\n", lines) + "\n");
  }

  private ReplayedDevice device(String... lines) throws IOException {
    return new ReplayedDevice(NAME, Recording.load(file(lines)), bus.time());
  }

  private static Mmio registers(ReplayedDevice device) {
    return device.bar(0).orElseThrow().map(0, 0x1000);
  }

  @Test
  void aFileIsReadAsItIsWritten() throws IOException {
    Path file =
        file(
            "read32 BAR0+0x0 = 0xffffffff",
            "read32 BAR0+0x4 = 0x0 *1000",
            "write64 BAR0+0x8 = 0x1122334455667788",
            "write16 config+0x4 = 0x6",
            "enable-msix = 2",
            "allocate 0x100000 +0x2000",
            "driver-write 0x100000 +0x3 = 010203",
            "device-write 0x100ffe +0x1000 = 01ff 00*4000 02*94",
            "interrupt vector 1",
            "bus-master = 1",
            "close");
    Recording recording = Recording.load(file);
    assertThat(recording.text()).isEqualTo(Files.readAllLines(file));
    assertThat(recording.lines().get(7).written()).hasSize(4096).startsWith(1, 255).endsWith(2, 2);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "read32 BAR0+0x0 = 0x0| read32 BAR0+0x1000 = 0x0| line 12: the device has no such register",
        "reset| read32 BAR1+0x0 = 0x0| line 12: the device has no such register: read32 BAR1+0x0",
        "reset| read32 config+0x100 = 0x0| line 12: the device has no such register",
        "reset| read24 BAR0+0x0 = 0x0| line 12: 'read24 BAR0+0x0 = 0x0' is no access",
        "reset| read32 BAR0+0x2 = 0x0| line 12: offset 0x2 is not a multiple of 4",
        "reset| reset vector 1| line 12: 'reset vector 1' is no access",
        "reset| device-write 0x0 +0x2 = 00*3| line 12: there are more than 2 bytes",
        "reset| device-write 0x0 +0x2 = 00| line 12: there are 1 bytes, not 2",
        "reset| device-write 0x0 +0x2 = 00*999999999999| line 12: ",
        "reset| device-write 0x0 +0xffffffffffffffff = 00| line 12: a line has 1 to 4096 bytes",
        "reset| device-write 0x0 +0x2| line 12: device-write 0x0 +0x2 needs data",
        "reset| read32 BAR0+0x0 = 0x0 *0| line 12: 'read32 BAR0+0x0 = 0x0 *0' is no access",
        "reset| write32 BAR0+0x0 = 0x0 *2| line 12: 'write32 BAR0+0x0 = 0x0 *2' is no access",
        "reset| allocate 0x8 +0x1000| line 12: allocate 0x8 +0x1000: DMA memory is whole pages",
        "reset| allocate 0x1000 +0x0| line 12: allocate 0x1000 +0x0: DMA memory is whole pages",
        "reset| map 0x1000 +0x800| line 12: map 0x1000 +0x800: DMA memory is whole pages",
        "reset| map 0xfedff000 +0x2000| line 12: map 0xfedff000 +0x2000: no usable bus addresses",
        "reset| map 0xfffffffffffff000 +0x2000| line 12: map 0xfffffffffffff000 +0x2000: no usable",
        "map 0x1000 +0x3000| map 0x2000 +0x1000| line 12: map 0x2000 +0x1000: other memory is"
            + " there",
        "map 0x2000 +0x1000| map 0x1000 +0x3000| line 12: map 0x1000 +0x3000: other memory is"
            + " there",
        "reset| interrupt vector 99999| line 12: 'interrupt vector 99999' is no access"
      })
  void whatIsWrongInAFileIsSaid(String first, String second, String problem) throws IOException {
    Path file = file(first, second);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Recording.load(file))
        .withMessageStartingWith(file + " is no recording: " + problem);
  }

  @Test
  void whatIsNoRecordingIsNoDevice() throws IOException {
    Path file = Files.write(folder.resolve("binary"), new byte[] {(byte) 0xff, 0, 1});
    DeviceName name = DeviceName.parse("simulated:replay,file=" + file);
    SimulatedBackend backend = new SimulatedBackend();
    assertThatExceptionOfType(DeviceUnavailableException.class)
        .isThrownBy(() -> backend.open(name))
        .withMessageContaining("is no recording: it is not text");
    Files.delete(file);
    assertThatExceptionOfType(DeviceUnavailableException.class)
        .isThrownBy(() -> backend.open(name))
        .withMessageContaining("can't read the recording");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> backend.open(DeviceName.parse("simulated:replay,fil=x")))
        .withMessageContaining("file=PATH");
  }

  private static final String[] POLLS = {
    "read32 BAR0+0x4 = 0x1 *2",
    "read32 BAR0+0x4 = 0x1",
    "read32 BAR0+0x4 = 0x0",
    "write32 BAR0+0x8 = 0x5",
    "read32 BAR0+0x4 = 0x0",
    "read32 BAR0+0x4 = 0x0",
    "write32 BAR0+0x8 = 0x6"
  };

  @Test
  void pollsMayBeFewer() throws IOException {
    ReplayedDevice device = device(POLLS);
    try (device;
        Mmio registers = registers(device)) {
      for (int recorded : new int[] {1, 1, 1, 0}) {
        assertThat(registers.read32(4)).as("as often as it was").isEqualTo(recorded);
      }
      registers.write32(8, 5);
      assertThat(registers.read32(4)).isZero();
      registers.write32(8, 6);
    }
  }

  @Test
  void pollsMayBeMore() throws IOException {
    ReplayedDevice device = device(POLLS);
    try (device;
        Mmio registers = registers(device)) {
      for (int recorded : new int[] {1, 1, 1, 0}) {
        assertThat(registers.read32(4)).isEqualTo(recorded);
      }
      registers.write32(8, 5);
      for (int i = 0; i < 10; i++) {
        assertThat(registers.read32(4)).isZero();
      }
      registers.write32(8, 6);
      assertThatExceptionOfType(ReplayMismatchException.class)
          .isThrownBy(() -> registers.read32(4))
          .withMessageContaining("after the end of the recording the driver did read32 BAR0+0x4");
      assertThatExceptionOfType(ReplayMismatchException.class).isThrownBy(device::verify);
    } catch (ReplayMismatchException e) {
      assertThat(e).as("from close").hasMessageContaining("after the end");
    }
  }

  /** What the device does, it does whether or not it is polled as often. */
  @Test
  void pollsHoldNothingUp() throws IOException {
    ReplayedDevice device =
        device(
            "enable-msix = 1",
            "allocate 0x1000 +0x1000",
            "read32 BAR0+0x4 = 0x1 *1000",
            "device-write 0x1000 +0x1 = 07",
            "read32 BAR0+0x4 = 0x1 *1000",
            "interrupt vector 0",
            "device-write 0x1000 +0x1 = 08",
            "reset");
    try (device;
        Mmio registers = registers(device);
        DmaBuffer buffer = device.dma().allocate(4096, 4096)) {
      Vector vector = device.interrupts().enable(Interrupts.Kind.MSIX, 1).getFirst();
      assertThat(vector.poll()).as("not before the first").isFalse();
      assertThat(registers.read32(4)).isEqualTo(1);
      assertThat(buffer.getByteAcquire(0)).isEqualTo((byte) 7);
      assertThat(registers.read32(4)).isEqualTo(1);
      assertThat(vector.poll()).isTrue();
      assertThat(buffer.getByteAcquire(0)).isEqualTo((byte) 8);
      device.reset();
    }
  }

  @Test
  void whatIsDoneWhenAPollEndsIsNotDoneBefore() throws IOException {
    ReplayedDevice device =
        device(
            "allocate 0x1000 +0x1000",
            "read32 BAR0+0x4 = 0x1 *2",
            "device-write 0x1000 +0x1 = 07",
            "read32 BAR0+0x4 = 0x9");
    try (device;
        Mmio registers = registers(device);
        DmaBuffer buffer = device.dma().allocate(4096, 4096)) {
      int polls = 0;
      while (buffer.getByteAcquire(0) == 0) {
        assertThat(registers.read32(4)).isEqualTo(1);
        polls++;
      }
      assertThat(polls).isEqualTo(2);
      assertThat(registers.read32(4)).isEqualTo(9);
    }
  }

  /** Line status and receiver buffer of a serial port that has received "ll". */
  private static final String[] FIFO = {
    "read8 BAR0+0x5 = 0x61",
    "read8 BAR0+0x0 = 0x6c",
    "read8 BAR0+0x5 = 0x61",
    "read8 BAR0+0x0 = 0x6c",
    "read8 BAR0+0x5 = 0x60"
  };

  @Test
  void equalWordsOfAFifoAreAllRead() throws IOException {
    ReplayedDevice device = device(FIFO);
    StringBuilder received = new StringBuilder();
    try (device;
        Mmio registers = registers(device)) {
      while ((registers.read8(5) & 1) != 0) {
        received.append((char) registers.read8(0));
      }
    }
    assertThat(received).hasToString("ll");
  }

  @Test
  void wordsThatAreLeftInAFifoAreTold() throws IOException {
    ReplayedDevice device = device(FIFO);
    try (Mmio registers = registers(device)) {
      assertThat(registers.read8(5)).isEqualTo(0x61);
      assertThat(registers.read8(0)).isEqualTo('l');
    }
    assertThatExceptionOfType(ReplayMismatchException.class)
        .isThrownBy(device::verify)
        .withMessageContaining(
            "#13: expected read8 BAR0+0x5 = 0x61, but the driver was done; it left 3 accesses out");
    assertThatExceptionOfType(ReplayMismatchException.class).isThrownBy(device::close);
  }

  @Test
  void aWordThatWasThereOnceIsNotReadTwice() throws IOException {
    assertMismatch(
        device -> {
          try (Mmio registers = registers(device)) {
            assertThat(registers.read8(5)).isEqualTo(0x61);
            assertThat(registers.read8(0)).isEqualTo('l');
            registers.read8(0);
          }
        },
        "#13: expected read8 BAR0+0x5 = 0x61, but the driver did read8 BAR0+0x0",
        FIFO);
  }

  /** A register of a FIFO may be read with nothing between. */
  @Test
  void equalWordsThatFollowEachOtherComeAsOftenAsTheyDid() throws IOException {
    ReplayedDevice device =
        device("read8 BAR0+0x0 = 0x6c *3", "read8 BAR0+0x0 = 0x6f", "read8 BAR0+0x0 = 0x6c");
    try (device;
        Mmio registers = registers(device)) {
      for (int recorded : new int[] {'l', 'l', 'l', 'o', 'l'}) {
        assertThat(registers.read8(0)).isEqualTo(recorded);
      }
    }
  }

  @Test
  void configSpaceIsReadAtAnyTime() throws IOException {
    ReplayedDevice device =
        device(
            "read16 config+0x0 = 0x1234 *7",
            "reset",
            "read16 config+0x4 = 0x10",
            "read16 config+0x4 = 0x20");
    try (device) {
      assertThat(device.config().read16(4)).isZero();
      device.reset();
      assertThat(device.config().read16(0)).isEqualTo(0x1234);
      assertThat(device.config().read16(4)).isEqualTo(0x10);
      assertThat(device.config().read8(4)).isEqualTo(0x10);
      assertThat(device.config().read16(4)).isEqualTo(0x20);
      assertThat(device.config().read16(4)).isEqualTo(0x20);
    }
    assertMismatch(
        left -> {
          left.reset();
          left.reset();
        },
        "#12: expected read16 config+0x4 = 0x10, but the driver did reset",
        "reset",
        "read16 config+0x4 = 0x10",
        "reset");
  }

  @Test
  void theDeviceWritesMemoryAndInterrupts() throws IOException {
    ReplayedDevice device =
        device(
            "enable-msix = 2",
            "allocate 0x7654000 +0x1000",
            "driver-write 0x7654010 +0x2 = 0102",
            "write32 BAR0+0x0 = 0x7654000",
            "interrupt vector 1",
            "device-write 0x7654800 +0x4 = aabbccdd",
            "read32 BAR0+0x4 = 0x9");
    try (device;
        Mmio registers = registers(device);
        DmaBuffer buffer = device.dma().allocate(100, 1)) {
      assertThat(buffer.busAddress()).isEqualTo(0x765_4000);
      Vector vector = device.interrupts().enable(Interrupts.Kind.MSIX, 2).get(1);
      assertThat(vector.poll()).isFalse();
      buffer.putShort(0x10, (short) 0x0201);
      registers.write32(0, 0x765_4000);
      assertThat(buffer.getIntAcquire(0x800)).as("not before the interrupt").isZero();
      assertThat(vector.await(Duration.ofSeconds(1))).isTrue();
      assertThat(buffer.getIntAcquire(0x800)).isEqualTo(0xddcc_bbaa);
      assertThat(vector.await(Duration.ofSeconds(1))).isFalse();
      assertThat(registers.read32(4)).isEqualTo(9);
    }
    assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(device::dma);
  }

  @Test
  void anInterruptThatNobodyWaitedForIsPending() throws IOException {
    ReplayedDevice device =
        device("enable-msix = 1", "interrupt vector 0", "write32 BAR0+0x0 = 0x1");
    try (device;
        Mmio registers = registers(device)) {
      Vector vector = device.interrupts().enable(Interrupts.Kind.MSIX, 1).getFirst();
      registers.write32(0, 1);
      assertThat(vector.poll()).isTrue();
      assertThat(vector.poll()).isFalse();
    }
  }

  @Test
  void eventsAreSignalled() throws IOException {
    List<String> signals = new ArrayList<>();
    Event event =
        new Event() {
          @Override
          public void signal() {
            signals.add("signal");
          }

          @Override
          public <T> Optional<T> unwrap(Class<T> exactType) {
            return Optional.empty();
          }
        };
    ReplayedDevice device =
        device(
            "enable-intx = 1",
            "connect vector 0",
            "write8 BAR2+0x3 = 0x7",
            "signal vector 0",
            "unmask vector 0");
    try (device) {
      Vector vector = device.interrupts().enable(Interrupts.Kind.INTX, 1).getFirst();
      vector.connect(event);
      assertThat(signals).isEmpty();
      device.bar(2).orElseThrow().ports().write8(3, 7);
      assertThat(signals).hasSize(1);
      vector.mask(false);
    }
  }

  @Test
  void eachDifferenceIsToldWithItsPlace() throws IOException {
    assertMismatch(
        device -> registers(device).write32(4, 2),
        "#11: expected write32 BAR0+0x0 = 0x1, but the driver did write32 BAR0+0x4 = 0x2",
        "write32 BAR0+0x0 = 0x1");
    assertMismatch(
        device -> registers(device).read32(8),
        "#11: expected reset, but the driver did read32 BAR0+0x8",
        "reset");
    assertMismatch(
        device -> device.config().write16(4, 6),
        "#11: expected bus-master = 1, but the driver did write16 config+0x4 = 0x6",
        "bus-master = 1");
    assertMismatch(
        device -> device.dma().allocate(8192, 1).close(),
        "#12: expected allocate 0x1000 +0x1000, but the driver did allocate of 0x2000 bytes",
        "reset",
        "allocate 0x1000 +0x1000");
    assertMismatch(
        ReplayedDevice::reset,
        "#12: expected that the driver has DMA memory for device-write 0x1000 +0x1, but it has not",
        "reset",
        "device-write 0x1000 +0x1 = 00");
    assertMismatch(
        device -> {
          try (DmaBuffer buffer = device.dma().allocate(4096, 1)) {
            buffer.putByte(1, (byte) 5);
            device.reset();
          }
        },
        "#12: expected driver-write 0x1000 +0x2, but the driver wrote 0x05, not 0x04, to 0x1001",
        "allocate 0x1000 +0x1000",
        "driver-write 0x1000 +0x2 = 0004",
        "reset");
  }

  /** The order of what is given back is not the recording's. */
  @Test
  void memoryIsWhereItWasOrNowhere() throws IOException {
    String[] session = {
      "allocate 0x1000 +0x1000", "free 0x1000 +0x1000", "allocate 0x1000 +0x1000", "reset"
    };
    ReplayedDevice device = device(session);
    try (device) {
      device.dma().allocate(4096, 4096).close();
      try (DmaBuffer again = device.dma().allocate(4096, 4096)) {
        assertThat(again.busAddress()).isEqualTo(0x1000);
        device.reset();
      }
    }
    assertMismatch(
        both -> {
          try (DmaBuffer one = both.dma().allocate(4096, 4096);
              DmaBuffer other = both.dma().allocate(4096, 4096)) {
            assertThat(one.busAddress()).isNotEqualTo(other.busAddress());
          }
        },
        "#13: expected allocate 0x1000 +0x1000, but the driver did allocate of 0x1000 bytes, and"
            + " has other memory there",
        session);
    assertMismatch(
        aligned -> aligned.dma().allocate(4096, 8192).close(),
        "#11: expected allocate 0x1000 +0x1000, but the driver did allocate of 0x1000 bytes aligned"
            + " to 0x2000",
        session);
    assertMismatch(
        below -> {
          try (DmaBuffer buffer = below.dma().allocate(4096, 4096)) {
            assertThat(buffer.busAddress()).isZero();
            below.reset();
          }
        },
        "#13: expected that the driver has DMA memory for device-write 0xffffffffffffff00 +0x1,"
            + " but it has not",
        "allocate 0x0 +0x1000",
        "reset",
        "device-write 0xffffffffffffff00 +0x1 = 00");
  }

  @Test
  @Timeout(20)
  void aPollCostsTheSameWhateverComesNext() throws IOException {
    List<String> session = new ArrayList<>(List.of("read32 BAR0+0x4 = 0x1 *2"));
    session.addAll(Collections.nCopies(200_000, "interrupt vector 0"));
    session.add("write32 BAR0+0x8 = 0x1");
    ReplayedDevice device = device(session.toArray(String[]::new));
    try (device;
        Mmio registers = registers(device)) {
      for (int i = 0; i < 10_000; i++) {
        assertThat(registers.read32(4)).isEqualTo(1);
      }
      registers.write32(8, 1);
    }
  }

  private interface Driver {
    void drive(ReplayedDevice device);
  }

  private void assertMismatch(Driver driver, String message, String... lines) throws IOException {
    ReplayedDevice device = device(lines);
    String all = "simulated:replay: " + message + "; ";
    assertThatExceptionOfType(ReplayMismatchException.class)
        .as(Arrays.toString(lines))
        .isThrownBy(() -> driver.drive(device))
        .withMessageStartingWith(all);
    assertThatExceptionOfType(ReplayMismatchException.class)
        .isThrownBy(device::reset)
        .withMessageStartingWith(all);
    assertThatExceptionOfType(ReplayMismatchException.class)
        .isThrownBy(device::close)
        .withMessageStartingWith(all);
    device.close();
  }
}
