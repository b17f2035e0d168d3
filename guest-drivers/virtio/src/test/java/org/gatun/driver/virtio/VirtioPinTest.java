package org.gatun.driver.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.simulated.NetworkEnd;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.VirtioNetworkModel;
import org.gatun.testkit.DeviceRoute;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A device that is polled leaves its interrupt pin alone, which may share its line with others. */
@Tag(DeviceRoute.VIRTUAL_TIME)
class VirtioPinTest {
  private static final Duration LONG = Duration.ofSeconds(5);

  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final VirtioOptions options =
      VirtioOptions.defaults().withTime(bus.time()).withTimeout(LONG);

  @AfterEach
  void close() {
    bus.close();
  }

  private boolean isAsserted(PciDevice device) {
    return bus.interruptLine(device.name()).orElseThrow().isAsserted();
  }

  /** Set whether or not the pin is disabled (PCI Local Bus Specification 3.0, 6.2.3). */
  private static boolean wantsToInterrupt(PciDevice device) {
    return (device.config().read16(ConfigRegisters.STATUS) & ConfigRegisters.STATUS_INTERRUPT) != 0;
  }

  private static boolean isDisabled(PciDevice device) {
    return (device.config().read16(ConfigRegisters.COMMAND) & ConfigRegisters.COMMAND_INTX_DISABLE)
        != 0;
  }

  @Test
  void aDiskThatIsPolledDoesNotEvenWantToInterrupt() {
    try (PciDevice device = bus.open(bus.plug("virtio-blk,size=1M,serial=S1"));
        VirtioDisk disk = VirtioDisk.open(device, options);
        DmaBuffer buffer = device.dma().allocate(4096, 4096)) {
      assertThat(disk.serialNumber()).isEqualTo("S1");
      disk.read(0, buffer, 0, 4096);
      assertThat(wantsToInterrupt(device)).isFalse();
      assertThat(isAsserted(device)).isFalse();
      assertThat(isDisabled(device)).isTrue();
    }
  }

  @Test
  void aCardThatIsPolledDoesNotSayThatItsLinkIsDown() {
    List<NetworkEnd> cable = NetworkEnd.cable();
    try (PciDevice device = bus.open(bus.plug("card", new VirtioNetworkModel(cable.getFirst())));
        VirtioNetworkCard card = VirtioNetworkCard.open(device, options)) {
      cable.getLast().plug(false);
      assertThat(bus.time().await(() -> !card.linkUp(), LONG, Duration.ofMillis(1))).isTrue();
      assertThat(wantsToInterrupt(device)).as("which no queue is asked for").isTrue();
      assertThat(isAsserted(device)).isFalse();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void afterThatThePinIsAsItWas(boolean disabled) {
    try (PciDevice device = bus.open(bus.plug("virtio-blk,size=1M,serial=S1"))) {
      ConfigSpace config = device.config();
      int command = config.read16(ConfigRegisters.COMMAND);
      config.write16(
          ConfigRegisters.COMMAND,
          disabled ? command | ConfigRegisters.COMMAND_INTX_DISABLE : command);
      try (VirtioDisk disk = VirtioDisk.open(device, options)) {
        assertThat(disk.serialNumber()).isEqualTo("S1");
      }
      assertThat(isDisabled(device)).isEqualTo(disabled);
      VirtioOptions interrupts = options.withCompletion(Completion.INTX);
      try (VirtioDisk disk = VirtioDisk.open(device, interrupts)) {
        assertThat(isDisabled(device)).isFalse();
        assertThat(disk.serialNumber()).isEqualTo("S1");
      }
    }
  }
}
