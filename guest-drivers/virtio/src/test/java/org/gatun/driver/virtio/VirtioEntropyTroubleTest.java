package org.gatun.driver.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Duration;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DeviceTimeoutException;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.fault.Effect;
import org.gatun.simulated.fault.Fault;
import org.gatun.simulated.fault.Faults;
import org.gatun.simulated.fault.Point;
import org.gatun.specs.virtio.SplitRing;
import org.gatun.testkit.DeviceRoute;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The driver on a source that gives little, and late. */
@Tag(DeviceRoute.VIRTUAL_TIME)
class VirtioEntropyTroubleTest {
  private static final Duration TIMEOUT = Duration.ofMillis(20);

  private static final int ENTRIES = 256;

  private final Faults faults = new Faults();
  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final PciDevice device = bus.open(bus.plug("virtio-rng,seed=5", faults));

  @AfterEach
  void close() {
    device.close();
    bus.close();
  }

  private VirtioEntropy open() {
    return VirtioEntropy.open(
        device, VirtioOptions.defaults().withTime(bus.time()).withTimeout(TIMEOUT));
  }

  /** Each request is done that late. */
  private void late(Duration by) {
    faults.add(Fault.at(Point.COMMAND, new Effect.Delay(by)));
  }

  /**
   * Of the first request, which is for 4096 bytes, what is given is said to be one, in the ring.
   * The driver has that behind the two others, in memory of whole pages.
   */
  private void giveOne() {
    int rings = SplitRing.descriptorsSize(ENTRIES) + SplitRing.availableSize(ENTRIES);
    int used = (rings + SplitRing.USED_ALIGNMENT - 1) & -SplitRing.USED_ALIGNMENT;
    faults.add(
        Fault.at(Point.DMA_WRITE, new Effect.Flip((4096L ^ 1) << Integer.SIZE))
            .matching((used + SplitRing.ENTRIES) & 0xfff, 0xfff)
            .times(1));
  }

  @Test
  void whatIsGivenByteByByteHasOneTimeOut() {
    try (VirtioEntropy entropy = open()) {
      giveOne();
      late(TIMEOUT.minusMillis(1));
      long start = bus.time().nanoTime();
      assertThatExceptionOfType(DeviceTimeoutException.class)
          .isThrownBy(() -> entropy.fill(new byte[4096]))
          .withMessageContaining("giving 4095 bytes has not ended after 20 ms");
      assertThat(bus.time().nanoTime() - start).isEqualTo(TIMEOUT.toNanos());
    }
  }

  @Test
  void each4096BytesHaveATimeOutOfTheirOwn() {
    byte[] bytes = new byte[3 * 4096];
    try (VirtioEntropy entropy = open()) {
      late(TIMEOUT.minusMillis(1));
      entropy.fill(bytes);
      assertThat(bytes[2 * 4096 + 1] | bytes[2 * 4096 + 2] | bytes[2 * 4096 + 3]).isNotZero();
    }
  }

  @Test
  void whatIsGivenInPartsIsWhole() {
    byte[] bytes = new byte[4096];
    try (VirtioEntropy entropy = open()) {
      giveOne();
      entropy.fill(bytes);
      long zeros = 0;
      for (byte b : bytes) {
        zeros += b == 0 ? 1 : 0;
      }
      assertThat(zeros).isLessThan(100);
    }
  }

  @Test
  void moreThanItWasAskedForIsRefused() {
    faults.add(Fault.at(Point.COMMAND, new Effect.Flip((4096L ^ 4097) << Integer.SIZE)));
    try (VirtioEntropy entropy = open()) {
      assertThatExceptionOfType(DeviceProtocolException.class)
          .isThrownBy(() -> entropy.fill(new byte[4096]))
          .withMessageContaining("it has given 4097 bytes of 4096");
    }
  }
}
