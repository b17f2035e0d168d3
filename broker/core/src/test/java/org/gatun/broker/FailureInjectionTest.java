package org.gatun.broker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.simulated.EduModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.SpecimenModel;
import org.junit.jupiter.api.Test;

/** Each step of seizing, granting and revoking fails once: XSA-450, XSA-458, XSA-460. */
class FailureInjectionTest {
  private static final int FENCE =
      ConfigRegisters.COMMAND_IO
          | ConfigRegisters.COMMAND_MEMORY
          | ConfigRegisters.COMMAND_BUS_MASTER;

  @Test
  void aStepOfSeizingOrGrantingThatFailsLeavesNothingGranted() {
    int step = 0;
    boolean failed;
    do {
      failed = failsAt(step);
      step++;
    } while (failed);
    // The snapshot alone reads 4,096 bytes, four at a time.
    assertThat(step).as("steps that failed").isGreaterThan(1024);
  }

  private static boolean failsAt(int step) {
    try (SimulatedBus bus = SimulatedBus.virtualTime()) {
      DeviceName first = bus.plug("first", new EduModel());
      DeviceName second = bus.plug("second", new SpecimenModel());
      FailingBackend backend = new FailingBackend(bus);
      try (Broker broker = new Broker(List.of(backend))) {
        backend.failAfter(step);
        try {
          broker.seize(first);
          broker.seize(second);
          Grant grant =
              broker.grant(
                  "guest",
                  Quota.DEFAULT,
                  List.of(DeviceRequest.of(first), DeviceRequest.of(second)));
          grant.connect();
          assertThat(backend.hasFailed()).as("a failure that nobody saw, step %d", step).isFalse();
          return false;
        } catch (PciException _) {
          // The failure.
        }
        assertThat(broker.grants()).as("step %d", step).isEmpty();
        assertThat(broker.devices())
            .as("step %d", step)
            .allSatisfy(d -> assertThat(d.guest()).isEmpty());
        broker.devices().forEach(device -> assertFenced(bus, device, step));
      }
      // And nothing is held: whoever opens them next, can.
      for (DeviceName device : List.of(first, second)) {
        try (PciDevice opened = bus.open(device)) {
          assertThat(opened.usage()).isEqualTo(PciDevice.Usage.NONE);
        }
      }
      return true;
    }
  }

  @Test
  void aStepOfRevokingThatFailsStillTakesTheDevice() {
    int step = 0;
    boolean failed;
    do {
      failed = revocationFailsAt(step);
      step++;
    } while (failed);
    assertThat(step).as("steps that failed").isGreaterThan(4);
  }

  private static boolean revocationFailsAt(int step) {
    try (SimulatedBus bus = SimulatedBus.virtualTime()) {
      DeviceName name = bus.plug("device", new EduModel());
      FailingBackend backend = new FailingBackend(bus);
      try (Broker broker = new Broker(List.of(backend))) {
        broker.seize(name);
        Grant grant = broker.grant("guest", Quota.DEFAULT, List.of(DeviceRequest.of(name)));
        PciDevice device = grant.connect().getFirst();
        device.busMaster(true);
        var dma = device.dma().allocate(4096, 4096);
        backend.failAfter(step);

        grant.revoke(Duration.ZERO);

        backend.failAfter(Integer.MAX_VALUE);
        assertThat(grant.state()).isEqualTo(GrantState.CLOSED);
        assertThatThrownBy(device::config).isInstanceOf(PciException.class);
        assertThatThrownBy(() -> dma.putInt(0, 1)).isInstanceOf(PciException.class);
        assertFenced(bus, broker.devices().getFirst(), step);
        assertThat(broker.devices().getFirst().guest()).isEmpty();
      }
      try (PciDevice opened = bus.open(name)) {
        assertThat(opened.usage()).isEqualTo(PciDevice.Usage.NONE);
      }
      return backend.hasFailed();
    }
  }

  /** No DMA; and no answer either, unless the broker could not even open it any more. */
  private static void assertFenced(SimulatedBus bus, Broker.DeviceStatus device, int step) {
    int fence = device.quarantine().isEmpty() ? FENCE : ConfigRegisters.COMMAND_BUS_MASTER;
    assertThat(bus.hardware(device.name()).read16(ConfigRegisters.COMMAND) & fence)
        .as("step %d: %s answers, or does DMA", step, device)
        .isZero();
  }

  @Test
  void withoutProofThereIsNoNextGrant() {
    try (SimulatedBus bus = SimulatedBus.virtualTime()) {
      DeviceName name = bus.plug("device", new EduModel());
      FailingBackend backend = new FailingBackend(bus);
      try (Broker broker = new Broker(List.of(backend))) {
        broker.seize(name);
        Grant grant = broker.grant("guest", Quota.DEFAULT, List.of(DeviceRequest.of(name)));
        grant.connect();
        backend.cannotProve("process 42 (guest) has a mapping of it");

        grant.revoke(Duration.ZERO);

        assertThat(broker.devices().getFirst().quarantine())
            .contains("process 42 (guest) has a mapping of it");
        assertThatThrownBy(
                () -> broker.grant("next", Quota.DEFAULT, List.of(DeviceRequest.of(name))))
            .isInstanceOf(GrantRefusedException.class)
            .hasMessageContaining("process 42");
      }
    }
  }
}
