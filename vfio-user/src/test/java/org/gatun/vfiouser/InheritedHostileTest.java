package org.gatun.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.stream.Stream;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.Memfd;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;
import org.gatun.vfiouser.RawPeer.Received;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A client that was to have inherited all that it gets, and asks for more: no descriptor goes over
 * its socket, in either direction.
 */
@Timeout(60)
class InheritedHostileTest {
  private static final int EVENTS = 4;
  private static final int BYTES = 4096;

  private final SimulatedBus bus = SimulatedBus.realTime();
  private final PciDevice device = bus.open(bus.plug("specimen"));
  private final List<EventFd> events =
      Stream.generate(() -> EventFd.create("inherited")).limit(EVENTS).toList();
  private final UnixSocket.Pair pair = UnixSocket.pair();
  private DeviceExport export;
  private RawClient client;

  @BeforeEach
  void connect() {
    export = DeviceExport.serve(device, pair.first(), ExportOptions.withInherited(events));
    client = RawClient.greeted(pair.second());
  }

  @AfterEach
  void close() {
    client.close();
    export.close();
    events.forEach(EventFd::close);
    device.close();
    bus.close();
  }

  @Test
  void noDescriptorComes() {
    assertThat(device.bars())
        .anyMatch(bar -> bar.ranges().stream().anyMatch(range -> bar.share(range).isPresent()));
    for (int index = 0; index < 9; index++) {
      Received info =
          client.call(RawPeer.DEVICE_GET_REGION_INFO, RawClient.regionInfo(index, BYTES));
      assertThat(info.files()).as("region %d", index).isEmpty();
      assertThat(info.payload()[4] & 4).as("MMAP flag of region %d", index).isZero();
      Received rings =
          client.call(RawPeer.DEVICE_GET_REGION_IO_FDS, RawClient.regionInfo(index, BYTES));
      assertThat(rings.files()).as("doorbells of region %d", index).isEmpty();
    }
  }

  /** A process that was just started may be slow, and keeps nobody from the device. */
  @Test
  void itNeedNotGreetSoon() throws InterruptedException {
    client.close();
    export.close();
    Duration patience = Duration.ofMillis(50);
    Limits limits = new Limits(0, BYTES, 1, BYTES, BYTES, patience);
    UnixSocket.Pair late = UnixSocket.pair();
    export =
        DeviceExport.serve(
            device,
            late.first(),
            new ExportOptions(
                Set.of(), false, limits, Optional.of(events), OptionalDouble.empty()));
    Thread.sleep(patience.multipliedBy(4));
    client = RawClient.greeted(late.second());
    assertThat(client.errno(RawPeer.DEVICE_RESET, new byte[0])).isZero();
  }

  @Test
  void memoryOfItsOwnIsRefused() {
    assertThat(client.errno(RawPeer.DMA_MAP, RawClient.map(3, 0, 0x1000_0000, BYTES)))
        .isEqualTo(RawPeer.EPERM);
  }

  @ParameterizedTest
  @MethodSource("withDescriptors")
  void aDescriptorEndsTheSession(int command, byte[] payload) {
    try (Memfd file = Memfd.create("hostile")) {
      client.send(RawPeer.message(1, command, RawPeer.COMMAND, payload), new Fd[] {file.fd()});
      assertThat(client.isDropped()).isTrue();
    }
  }

  static Stream<Arguments> withDescriptors() {
    return Stream.of(
        arguments(RawPeer.DMA_MAP, RawClient.map(3, 0, 0x1000_0000, BYTES)),
        arguments(
            RawPeer.DEVICE_SET_IRQS,
            RawClient.irqs(RawClient.DATA_EVENTFD | RawClient.ACTION_TRIGGER, RawClient.MSI, 0, 1)),
        arguments(RawPeer.DEVICE_RESET, new byte[0]));
  }

  @Test
  void aSecondVersionEndsTheSession() {
    client.send(
        RawPeer.message(1, RawPeer.VERSION, RawPeer.COMMAND, RawClient.version(0, 1, "{}")),
        new Fd[0]);
    assertThat(client.isDropped()).isTrue();
  }

  @Test
  void onlyEventsThatThereAreCanBeNamed() {
    for (int place : new int[] {-1, EVENTS, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
      assertThat(setIrqs(List.of(place))).as("place %d", place).isEqualTo(RawPeer.EINVAL);
    }
    assertThat(setIrqs(List.of(0, EVENTS))).isEqualTo(RawPeer.EINVAL);
    assertThat(setIrqs(List.of(EVENTS - 1))).isZero();
    assertThat(device.usage().vectors()).isPositive();
  }

  private int setIrqs(List<Integer> places) {
    byte[] head =
        RawClient.irqs(
            RawClient.DATA_EVENTFD | RawClient.ACTION_TRIGGER, RawClient.MSIX, 0, places.size());
    Bytes payload = Bytes.of().raw(head);
    new ArrayList<>(places).forEach(payload::u32);
    return client.errno(RawPeer.DEVICE_SET_IRQS, payload.get());
  }
}
