package org.gatun.broker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;
import org.gatun.vfiouser.testkit.VfioUserRoute;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A client at a socket loses a granted device as a guest in the same process does. */
@Timeout(60)
class ServedRevocationTest {
  private final SimulatedBus bus = SimulatedBus.realTime();
  private final Broker broker = new Broker(List.of(bus));
  private final DeviceName edu = bus.plug("edu");
  private final BlockingQueue<String> heard = new LinkedBlockingQueue<>();

  ServedRevocationTest() {
    broker.seize(edu);
  }

  @AfterEach
  void closeAll() {
    broker.close();
    bus.close();
  }

  private Grant grant(String guest) {
    return broker.grant(guest, Quota.DEFAULT, List.of(DeviceRequest.of(edu)));
  }

  private static PciDevice serve(Grant grant) {
    return new VfioUserRoute().through(grant.connect().getFirst());
  }

  @Test
  void byForceFromAClientThatUsesIt() throws InterruptedException {
    Grant first = grant("first");
    try (PciDevice device = serve(first)) {
      GrantedDevice granted = first.devices().getFirst();
      listen(device, () -> {});
      Mmio registers = device.bars().getFirst().map(0, 0x100);
      DmaBuffer buffer = device.dma().allocate(4096, 4096);
      device.interrupts().enable(Interrupts.Kind.MSI, 1);
      device.busMaster(true);
      assertThat(granted.usage()).isNotEqualTo(PciDevice.Usage.NONE);

      first.revoke(Duration.ofMillis(200));

      assertThat(first.state()).isEqualTo(GrantState.CLOSED);
      assertThat(heard.poll(30, TimeUnit.SECONDS)).isEqualTo("requested");
      assertThat(heard.poll(30, TimeUnit.SECONDS)).isEqualTo("gone");
      assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(() -> registers.read32(0));
      assertThat(granted.usage()).as("what its server has").isEqualTo(PciDevice.Usage.NONE);
      buffer.close();
    }
    try (PciDevice again = serve(grant("second"))) {
      assertThat(again.bars().getFirst().map(0, 0x100).read32(0)).isEqualTo(0x010000ed);
    }
  }

  @Test
  void fromAClientThatLetsGo() throws InterruptedException {
    Grant first = grant("first");
    PciDevice device = serve(first);
    listen(device, device::close);

    first.revoke(Duration.ofSeconds(30));

    assertThat(heard.poll(30, TimeUnit.SECONDS)).isEqualTo("requested");
    assertThat(first.state()).isEqualTo(GrantState.CLOSED);
    assertThat(broker.devices().getFirst().quarantine()).isEmpty();
  }

  private void listen(PciDevice device, Runnable whenRequested) {
    device.onDetach(
        new DetachListener() {
          @Override
          public void requested(Duration deadline) {
            heard.add("requested");
            whenRequested.run();
          }

          @Override
          public void gone(String cause) {
            heard.add("gone");
          }
        });
  }
}
