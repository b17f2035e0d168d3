package org.gatun.driver.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.SimulatedBus;
import org.gatun.specs.virtio.VirtioBlock;
import org.gatun.testkit.Device;
import org.gatun.testkit.SimulatedPci;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The driver on a sound disk. */
@SimulatedPci
class VirtioDiskTest {
  private static final int SIZE = 1 << 20;
  private static final int PART = 4096;

  private final SimulatedBus bus;
  private final PciDevice device;
  private final VirtioOptions options;

  VirtioDiskTest(
      SimulatedBus bus,
      @Device("virtio-blk,size=1M,serial=S1,block=4096") PciDevice device,
      TimeSource time) {
    this.bus = bus;
    this.device = device;
    this.options = VirtioOptions.defaults().withTime(time);
  }

  private VirtioDisk open(Completion completion) {
    return VirtioDisk.open(device, options.withCompletion(completion));
  }

  @ParameterizedTest
  @EnumSource
  void saysWhatItIs(Completion completion) {
    try (VirtioDisk disk = open(completion)) {
      assertThat(disk.size()).isEqualTo(SIZE);
      assertThat(disk.blockSize()).isEqualTo(4096);
      assertThat(disk.readOnly()).isFalse();
      assertThat(disk.serialNumber()).isEqualTo("S1");
      assertThat(disk.depth()).isEqualTo(256);
    }
  }

  @ParameterizedTest
  @EnumSource
  void readsWhatWasWritten(Completion completion) {
    byte[] written = new byte[SIZE];
    new Random(1).nextBytes(written);
    try (VirtioDisk disk = open(completion);
        DmaBuffer buffer = device.dma().allocate(SIZE, PART)) {
      buffer.copyIn(0, written);
      disk.write(0, buffer, 0, SIZE);
      disk.flush();
      buffer.copyIn(0, new byte[SIZE]);
      for (int at = 0; at < SIZE; at += PART) {
        disk.read(at, buffer, at, PART);
      }
      byte[] read = new byte[SIZE];
      buffer.copyOut(0, read);
      assertThat(read).isEqualTo(written);
      assertThat(disk.writeZeroes(512, 1024)).isTrue();
      assertThat(disk.discard(4096, 4096)).isTrue();
      disk.read(0, buffer, 0, PART);
      buffer.copyOut(0, read);
      assertThat(read[511]).isEqualTo(written[511]);
      assertThat(read).startsWith(Arrays.copyOf(written, 512));
      assertThat(Arrays.copyOfRange(read, 512, 1536)).containsOnly(0);
      assertThat(Arrays.copyOfRange(read, 1536, PART))
          .isEqualTo(Arrays.copyOfRange(written, 1536, PART));
    }
  }

  @ParameterizedTest
  @EnumSource
  void keepsAllItsSlotsBusy(Completion completion) {
    List<Long> completed = new ArrayList<>();
    try (VirtioDisk disk =
            VirtioDisk.open(device, options.withCompletion(completion).withQueueSize(16));
        DmaBuffer buffer = device.dma().allocate(16 * PART, PART)) {
      assertThat(disk.depth()).isEqualTo(16);
      VirtioCallback callback =
          (context, status) -> {
            assertThat(status).isEqualTo(VirtioBlock.OK);
            completed.add(context);
          };
      long next = 0;
      while (completed.size() < 1000) {
        while (next < 1000
            && disk.submitWrite(
                next % 200 * PART, buffer, next % 16 * PART, PART, callback, next)) {
          next++;
        }
        disk.ring();
        assertThat(disk.await(Duration.ofSeconds(10))).isPositive();
      }
      assertThat(completed).doesNotHaveDuplicates().hasSize(1000);
      assertThat(disk.poll()).isZero();
    }
  }

  @Test
  void whatIsWrongIsRefused(@Device("virtio-blk,readonly=yes") PciDevice locked) {
    try (VirtioDisk disk = open(Completion.POLL);
        DmaBuffer buffer = device.dma().allocate(2 * PART, PART)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> disk.read(100, buffer, 0, 512))
          .withMessageContaining("not whole sectors");
      assertThatIllegalArgumentException().isThrownBy(() -> disk.read(SIZE, buffer, 0, 512));
      assertThatIllegalArgumentException().isThrownBy(() -> disk.read(0, buffer, PART + 512, PART));
      assertThatIllegalArgumentException().isThrownBy(() -> disk.write(-512, buffer, 0, 512));
    }
    try (VirtioDisk disk = VirtioDisk.open(locked, options);
        DmaBuffer buffer = locked.dma().allocate(PART, PART)) {
      disk.read(0, buffer, 0, PART);
      assertThat(disk.readOnly()).isTrue();
      assertThatIllegalArgumentException()
          .isThrownBy(() -> disk.write(0, buffer, 0, 512))
          .withMessageContaining("can't be written");
      assertThatIllegalArgumentException().isThrownBy(() -> disk.discard(0, 512));
    }
  }

  @Test
  void memoryThatIsClosedIsRefused() {
    try (VirtioDisk disk = open(Completion.POLL);
        DmaBuffer open = device.dma().allocate(PART, PART)) {
      DmaBuffer buffer = device.dma().allocate(PART, PART);
      buffer.close();
      assertThatExceptionOfType(DeviceGoneException.class)
          .isThrownBy(() -> disk.read(0, buffer, 0, 512));
      assertThatExceptionOfType(DeviceGoneException.class)
          .isThrownBy(() -> disk.write(0, buffer, 0, 512));
      for (int i = 0; i <= disk.depth(); i++) {
        assertThatExceptionOfType(DeviceGoneException.class)
            .isThrownBy(() -> disk.submitRead(0, buffer, 0, 512, (_, _) -> {}, 0));
      }
      disk.read(0, open, 0, 512);
    }
  }

  @Test
  void memoryThatIsNotMappedIsAnIoError() {
    try (VirtioDisk disk = open(Completion.POLL)) {
      DmaBuffer buffer = unmapped(device, PART);
      assertThatExceptionOfType(DeviceProtocolException.class)
          .isThrownBy(() -> disk.read(0, buffer, 0, 512))
          .withMessageContaining("reading 512 bytes at 0x0: the device says: an I/O error");
    }
  }

  /** Memory that the device does not reach, though it looks like it. */
  static DmaBuffer unmapped(PciDevice device, int size) {
    try (DmaBuffer gone = device.dma().allocate(size, size)) {
      return new DmaBuffer(
          device.name(), Arena.ofAuto().allocate(size, size), gone.busAddress(), () -> {});
    }
  }

  @Test
  void isOpenedAgain() {
    for (int i = 0; i < 3; i++) {
      try (VirtioDisk disk = open(Completion.MSIX)) {
        assertThat(disk.serialNumber()).isEqualTo("S1");
      }
    }
  }

  @Test
  void closingItTwiceDoesNothingToTheNextOne() {
    VirtioDisk first = open(Completion.MSIX);
    first.close();
    try (VirtioDisk second = open(Completion.MSIX)) {
      first.close();
      assertThat(second.serialNumber()).isEqualTo("S1");
    }
  }

  @Test
  void oneThatGoesIsGone() {
    try (VirtioDisk disk = open(Completion.MSIX)) {
      bus.unplug(device.name());
      assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(disk::serialNumber);
    }
  }

  @Test
  void whatIsNoDiskIsRefused(@Device("virtio-rng") PciDevice entropy) {
    assertThatExceptionOfType(DeviceProtocolException.class)
        .isThrownBy(() -> VirtioDisk.open(entropy, options))
        .withMessageContaining("no modern virtio device of type BLOCK: its id is 1af4:1044");
  }
}
