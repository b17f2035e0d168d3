package org.gatun.driver.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DeviceTimeoutException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.fault.Effect;
import org.gatun.simulated.fault.Fault;
import org.gatun.simulated.fault.Faults;
import org.gatun.simulated.fault.Point;
import org.gatun.specs.virtio.VirtioBlock;
import org.gatun.testkit.DeviceRoute;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The driver on a disk that is fast, late, or wrong about what it has written. */
@Tag(DeviceRoute.VIRTUAL_TIME)
@Timeout(value = 10, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class VirtioDiskTroubleTest {
  private static final int SECTOR = VirtioBlock.SECTOR;
  private static final Duration TIMEOUT = Duration.ofMillis(5);

  private final Faults faults = new Faults();
  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final PciDevice device = bus.open(bus.plug("virtio-blk,size=1M,serial=S1", faults));
  private final DmaBuffer buffer = device.dma().allocate(4096, 4096);
  private final VirtioOptions options =
      VirtioOptions.defaults().withTime(bus.time()).withTimeout(TIMEOUT).withQueueSize(8);
  private final List<Long> completed = new ArrayList<>();

  @BeforeEach
  void empty() {
    buffer.copyIn(0, new byte[4096]);
  }

  @AfterEach
  void close() {
    device.close();
    bus.close();
  }

  private VirtioDisk open() {
    return VirtioDisk.open(device, options);
  }

  /** Lengths in the used ring that are other ones: the upper half of what is flipped. */
  private void flipLength(long bits) {
    faults.clear();
    faults.add(Fault.at(Point.COMMAND, new Effect.Flip(bits << Integer.SIZE)));
  }

  @Test
  void whoSubmitsAgainWhenCalledBackDoesNotKeepThePoll() {
    try (VirtioDisk disk = open()) {
      VirtioCallback again =
          new VirtioCallback() {
            @Override
            public void completed(long context, int status) {
              completed.add(context);
              disk.submitRead(0, buffer, 0, SECTOR, this, context + 1);
              disk.ring();
            }
          };
      disk.submitRead(0, buffer, 0, SECTOR, again, 0);
      disk.ring();
      assertThat(disk.poll()).isEqualTo(disk.depth()).isEqualTo(8);
      assertThat(disk.poll()).isEqualTo(8);
      assertThat(disk.await(TIMEOUT)).isEqualTo(8);
      assertThat(completed).hasSize(24).doesNotHaveDuplicates();
    }
  }

  @Test
  void whatHasTimedOutIsNobodysWhenItIsDone() {
    try (VirtioDisk disk = open()) {
      faults.add(Fault.at(Point.COMMAND, new Effect.Delay(TIMEOUT.multipliedBy(2))).times(1));
      assertThatExceptionOfType(DeviceTimeoutException.class)
          .isThrownBy(() -> disk.read(0, buffer, 0, SECTOR))
          .withMessageContaining("reading 512 bytes at 0x0 has not ended after 5 ms");
      bus.time().sleep(TIMEOUT.multipliedBy(3));
      assertThat(disk.poll()).isZero();
      assertThatCode(() -> disk.read(0, buffer, 0, SECTOR)).doesNotThrowAnyException();
    }
  }

  @Test
  void whoAwaitsSomethingWaitsOnWhenThatIsDone() {
    try (VirtioDisk disk = open()) {
      faults.add(Fault.at(Point.COMMAND, new Effect.Delay(TIMEOUT.multipliedBy(2))));
      assertThatExceptionOfType(DeviceTimeoutException.class)
          .isThrownBy(() -> disk.read(0, buffer, 0, SECTOR));
      disk.submitRead(0, buffer, 0, SECTOR, (context, _) -> completed.add(context), 7);
      disk.ring();
      assertThat(disk.await(TIMEOUT.multipliedBy(4))).isEqualTo(1);
      assertThat(completed).containsExactly(7L);
    }
  }

  /** Of 513 bytes: none, all but the status, one more, and as many as fit the field. */
  @ParameterizedTest
  @ValueSource(longs = {513, 513 ^ 512, 513 ^ 514, 513 ^ 0xffff_ffffL})
  void aReadOfWhichNotAllWasWrittenOrMore(long flipped) {
    long length = 513 ^ flipped;
    try (VirtioDisk disk = open()) {
      flipLength(flipped);
      assertThatExceptionOfType(DeviceProtocolException.class)
          .isThrownBy(() -> disk.read(0, buffer, 0, SECTOR))
          .withMessageContaining(
              "reading 512 bytes at 0x0: the device says that it has written %d bytes, of 513",
              length);
      assertThat(disk.submitRead(0, buffer, 0, SECTOR, (c, _) -> completed.add(c), 3)).isTrue();
      disk.ring();
      assertThatExceptionOfType(DeviceProtocolException.class)
          .isThrownBy(disk::poll)
          .withMessageContaining(
              "the request with context 3: the device says that it has written %d bytes", length);
      assertThat(completed).isEmpty();
      assertThat(disk.poll()).as("it is over").isZero();
    }
  }

  /** Of a write, a flush or a discard, the status is the only byte. */
  @ParameterizedTest
  @ValueSource(longs = {1, 1 ^ 2})
  void aWriteOfWhichTheStatusWasNotWrittenOrMore(long flipped) {
    try (VirtioDisk disk = open()) {
      flipLength(flipped);
      String problem = "the device says that it has written %d bytes, of 1".formatted(1 ^ flipped);
      assertThatExceptionOfType(DeviceProtocolException.class)
          .isThrownBy(() -> disk.write(0, buffer, 0, SECTOR))
          .withMessageContaining("writing 512 bytes at 0x0: " + problem);
      assertThatExceptionOfType(DeviceProtocolException.class)
          .isThrownBy(disk::flush)
          .withMessageContaining("flushing: " + problem);
      assertThatExceptionOfType(DeviceProtocolException.class)
          .isThrownBy(() -> disk.discard(0, SECTOR))
          .withMessageContaining("discarding 512 bytes at 0x0: " + problem);
      flipLength(21 ^ 20);
      assertThatExceptionOfType(DeviceProtocolException.class)
          .isThrownBy(disk::serialNumber)
          .withMessageContaining("reading its serial number");
    }
  }

  /** A device that fails has not written all of the data, and says how much. */
  @ParameterizedTest
  @EnumSource
  void whatFailsMayBeShorter(Completion completion) {
    List<Integer> statuses = new ArrayList<>();
    try (VirtioDisk disk = VirtioDisk.open(device, options.withCompletion(completion))) {
      DmaBuffer gone = VirtioDiskTest.unmapped(device, 4096);
      assertThatExceptionOfType(DeviceProtocolException.class)
          .isThrownBy(() -> disk.read(0, gone, 0, SECTOR))
          .withMessageContaining("the device says: an I/O error");
      disk.submitRead(0, gone, 0, SECTOR, (_, status) -> statuses.add(status), 0);
      disk.ring();
      assertThat(disk.await(TIMEOUT)).isEqualTo(1);
      assertThat(statuses).containsExactly(VirtioBlock.IO_ERROR);
    }
  }
}
