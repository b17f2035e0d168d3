package org.gatun.driver.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.NetworkEnd;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.VirtioNetworkModel;
import org.gatun.testkit.Device;
import org.gatun.testkit.DeviceRoute;
import org.gatun.testkit.SimulatedPci;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The driver on a card that hears itself, and on one whose other end is the test's. */
@SimulatedPci
class VirtioNetworkCardTest {
  private static final Duration LONG = Duration.ofSeconds(10);

  private final SimulatedBus bus;
  private final PciDevice device;
  private final VirtioOptions options;

  VirtioNetworkCardTest(
      SimulatedBus bus, @Device("virtio-net,cable=loop") PciDevice device, TimeSource time) {
    this.bus = bus;
    this.device = device;
    this.options = VirtioOptions.defaults().withTime(time);
  }

  private static byte[] frame(int length, int seed) {
    byte[] frame = new byte[length];
    new Random(seed).nextBytes(frame);
    return frame;
  }

  @ParameterizedTest
  @EnumSource
  void receivesWhatItTransmits(Completion completion) {
    try (VirtioNetworkCard card =
        VirtioNetworkCard.open(device, options.withCompletion(completion))) {
      assertThat(card.mac()).containsExactly(0x52, 0x54, 0, 0x12, 0x34, 0x56);
      assertThat(card.mtu()).isEqualTo(1500);
      assertThat(card.linkUp()).isTrue();
      assertThat(card.receive(Duration.ZERO)).isEmpty();
      for (int i = 0; i < 1000; i++) {
        byte[] frame = frame(14 + i * 7 % 1505, i);
        card.transmit(frame);
        assertThat(card.receive(LONG)).isEqualTo(frame);
      }
      assertThat(card.receive(Duration.ofMillis(1))).isEmpty();
    }
  }

  @ParameterizedTest
  @EnumSource
  void keepsTheOrderOfABurst(Completion completion) {
    try (VirtioNetworkCard card =
        VirtioNetworkCard.open(device, options.withCompletion(completion).withQueueSize(32))) {
      for (int i = 0; i < 32; i++) {
        card.transmit(frame(100, i));
      }
      for (int i = 0; i < 32; i++) {
        assertThat(card.receive(LONG)).isEqualTo(frame(100, i));
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void moreThanItHasRoomForIsDeliveredWhenItHas(Completion completion) {
    try (VirtioNetworkCard card =
        VirtioNetworkCard.open(device, options.withCompletion(completion).withQueueSize(32))) {
      for (int i = 0; i < 40; i++) {
        card.transmit(frame(100, i));
      }
      for (int i = 0; i < 40; i++) {
        assertThat(card.receive(LONG)).as("frame %d", i).isEqualTo(frame(100, i));
      }
    }
  }

  @Test
  void isOnACable() {
    List<NetworkEnd> cable = NetworkEnd.cable();
    List<byte[]> arrived = new ArrayList<>();
    cable
        .getLast()
        .attach(
            new NetworkEnd.Listener() {
              @Override
              public void received(byte[] frame) {
                synchronized (arrived) {
                  arrived.add(frame);
                }
              }

              @Override
              public void link(boolean up) {}
            });
    try (PciDevice there =
            DeviceRoute.chosen(
                bus.open(bus.plug("card", new VirtioNetworkModel(cable.getFirst()))));
        VirtioNetworkCard card = VirtioNetworkCard.open(there, options)) {
      card.transmit(frame(60, 1));
      options.time().await(() -> isThere(arrived), LONG, Duration.ofMillis(1));
      assertThat(arrived).singleElement().isEqualTo(frame(60, 1));
      cable.getLast().send(frame(61, 2));
      assertThat(card.receive(LONG)).isEqualTo(frame(61, 2));
      cable.getLast().plug(false);
      assertThat(options.time().await(() -> !card.linkUp(), LONG, Duration.ofMillis(1))).isTrue();
    }
  }

  private static boolean isThere(List<byte[]> arrived) {
    synchronized (arrived) {
      return !arrived.isEmpty();
    }
  }

  @Test
  void framesThatThereAreNot() {
    try (VirtioNetworkCard card = VirtioNetworkCard.open(device, options)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> card.transmit(new byte[13]))
          .withMessageContaining("no frame has 13 bytes: from 14 to 1518");
      assertThatIllegalArgumentException().isThrownBy(() -> card.transmit(new byte[1519]));
    }
  }
}
