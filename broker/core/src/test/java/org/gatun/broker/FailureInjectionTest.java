package org.gatun.broker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.gatun.broker.FailingBackend.Failure;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.simulated.EduModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.SpecimenModel;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Each step of seizing, granting and revoking fails once: XSA-450, XSA-458, XSA-460. */
class FailureInjectionTest {
  private static final int FENCE =
      ConfigRegisters.COMMAND_IO
          | ConfigRegisters.COMMAND_MEMORY
          | ConfigRegisters.COMMAND_BUS_MASTER;

  /**
   * The snapshot alone reads config space, four bytes at a time: of edu 256, of the other 4,096.
   */
  private static final int SNAPSHOTS = 64 + 1024;

  @ParameterizedTest
  @EnumSource
  void xsa450AStepOfSeizingOrGrantingThatFailsLeavesNothingGranted(Failure failure) {
    int step = 0;
    while (granting(failure, step)) {
      step++;
    }
    assertThat(step).as("steps that failed").isGreaterThan(SNAPSHOTS);
  }

  private static boolean granting(Failure failure, int step) {
    try (Scene scene = new Scene(failure)) {
      scene.backend.failAfter(step);
      try {
        scene.grantBoth();
        assertThat(scene.backend.hasFailed()).as("nobody saw it, step %d", step).isFalse();
        return false;
      } catch (RuntimeException | InternalError _) {
        assertThat(scene.backend.hasFailed()).as("step %d", step).isTrue();
      }
      scene.backend.recover();
      assertThat(scene.broker.grants()).as("step %d", step).isEmpty();
      scene.assertTakenBack(step);
      scene.assertThatTheNextGrantWorks();
      scene.assertNothingIsHeldAfterClose();
      return true;
    }
  }

  @ParameterizedTest
  @EnumSource
  void xsa458AStepOfAddingADeviceThatFailsLeavesItUngranted(Failure failure) {
    int step = 0;
    while (adding(failure, step)) {
      step++;
    }
    assertThat(step).as("steps that failed").isGreaterThan(10);
  }

  private static boolean adding(Failure failure, int step) {
    try (Scene scene = new Scene(failure)) {
      scene.seizeBoth();
      Grant grant = scene.grant(scene.first);
      PciDevice connected = grant.connect().getFirst();
      scene.backend.failAfter(step);
      try {
        scene.broker.add(grant, DeviceRequest.of(scene.second));
        grant.connect();
        return false;
      } catch (RuntimeException | InternalError _) {
        assertThat(scene.backend.hasFailed()).as("step %d", step).isTrue();
      }
      scene.backend.recover();
      scene.assertFenced(scene.second, step);
      if (grant.state() == GrantState.CONNECTED) {
        // It was refused: what the guest had, it keeps, and it may have the other one yet.
        assertThat(grant.devices()).as("step %d", step).hasSize(1);
        assertThat(connected.config().read16(ConfigRegisters.VENDOR_ID)).isEqualTo(0x1234);
        scene.broker.add(grant, DeviceRequest.of(scene.second));
        assertThat(grant.connect()).as("step %d", step).hasSize(2);
        grant.revoke(Duration.ZERO);
      }
      assertThat(grant.state()).as("step %d", step).isEqualTo(GrantState.CLOSED);
      scene.assertTakenBack(step);
      scene.assertThatTheNextGrantWorks();
      scene.assertNothingIsHeldAfterClose();
      return true;
    }
  }

  @ParameterizedTest
  @EnumSource
  void xsa460AStepOfRevokingThatFailsStillTakesTheDevices(Failure failure) {
    int step = 0;
    while (revoking(failure, step)) {
      step++;
    }
    assertThat(step).as("steps that failed").isGreaterThan(20);
  }

  private static boolean revoking(Failure failure, int step) {
    try (Scene scene = new Scene(failure)) {
      Grant grant = scene.grantBoth();
      PciDevice first = grant.devices().getFirst();
      first.busMaster(true);
      first.config().write8(ConfigRegisters.CACHE_LINE_SIZE, 0x10);
      var dma = first.dma().allocate(4096, 4096);
      // So that it ends in quarantine, which has steps of its own.
      scene.bus.hardware(scene.second).poke(ConfigRegisters.DEVICE_ID, 2, 0x4242);
      scene.backend.failAfter(step);

      grant.revoke(Duration.ZERO);

      scene.backend.recover();
      assertThat(grant.state()).as("step %d", step).isEqualTo(GrantState.CLOSED);
      for (PciDevice device : grant.devices()) {
        assertThatThrownBy(device::config).isInstanceOf(DeviceGoneException.class);
      }
      assertThatThrownBy(() -> dma.putInt(0, 1)).isInstanceOf(DeviceGoneException.class);
      scene.assertTakenBack(step);
      assertThat(scene.status(scene.second).quarantine()).as("step %d", step).isPresent();
      scene.assertThatTheNextGrantWorks();
      scene.assertNothingIsHeldAfterClose();
      return scene.backend.hasFailed();
    }
  }

  @ParameterizedTest
  @EnumSource
  void aStepOfClosingThatFailsStillLetsAllDevicesGo(Failure failure) {
    int step = 0;
    while (closing(failure, step)) {
      step++;
    }
    // Six of each device: nothing is opened again.
    assertThat(step).as("steps that failed").isGreaterThanOrEqualTo(12);
  }

  private static boolean closing(Failure failure, int step) {
    try (Scene scene = new Scene(failure)) {
      scene.grantBoth();
      scene.backend.failAfter(step);
      try {
        scene.broker.close();
      } catch (RuntimeException | InternalError _) {
        assertThat(scene.backend.hasFailed()).as("step %d", step).isTrue();
      }
      scene.backend.recover();
      assertThat(scene.broker.devices()).as("step %d", step).isEmpty();
      scene.assertNothingIsHeldAfterClose();
      return scene.backend.hasFailed();
    }
  }

  @ParameterizedTest
  @EnumSource
  void whatCouldNotBeGivenBackIsNotGrantedAgain(Failure failure) {
    try (Scene scene = new Scene(failure)) {
      Grant grant = scene.grantBoth();
      scene.backend.listen(
          call -> {
            if (call.equals("release()")) {
              scene.backend.failAfter(0);
            }
          });

      grant.revoke(Duration.ZERO);

      // The last one is taken first.
      assertThat(scene.status(scene.second).quarantine())
          .hasValueSatisfying(r -> assertThat(r).contains("giving it back failed", "release"));
      assertThatThrownBy(() -> scene.grant(scene.second))
          .isInstanceOf(GrantRefusedException.class)
          .hasMessageContaining("giving it back failed");
    }
  }

  @Test
  void withoutProofThereIsNoNextGrant() {
    try (Scene scene = new Scene(Failure.TYPED)) {
      Grant grant = scene.grantBoth();
      scene.backend.cannotProve("process 42 (guest) has a mapping of it");

      grant.revoke(Duration.ZERO);

      assertThat(scene.status(scene.first).quarantine())
          .contains("process 42 (guest) has a mapping of it");
      assertThatThrownBy(() -> scene.grant(scene.first))
          .isInstanceOf(GrantRefusedException.class)
          .hasMessageContaining("process 42");
    }
  }

  /** Two devices on a bus that fails, and their broker. */
  private static final class Scene implements AutoCloseable {
    final SimulatedBus bus = SimulatedBus.virtualTime();
    final DeviceName first = bus.plug("first", new EduModel());
    final DeviceName second = bus.plug("second", new SpecimenModel());
    final FailingBackend backend;
    final Broker broker;

    Scene(Failure failure) {
      backend = new FailingBackend(bus, failure);
      broker = new Broker(List.of(backend));
    }

    void seizeBoth() {
      broker.seize(first);
      broker.seize(second);
    }

    Grant grantBoth() {
      seizeBoth();
      Grant grant = grant(first, second);
      grant.connect();
      return grant;
    }

    Grant grant(DeviceName... devices) {
      return broker.grant(
          "guest", Quota.DEFAULT, Stream.of(devices).map(DeviceRequest::of).toList());
    }

    Broker.DeviceStatus status(DeviceName device) {
      return broker.devices().stream().filter(d -> d.name().equals(device)).findFirst().get();
    }

    void assertTakenBack(int step) {
      for (Broker.DeviceStatus device : broker.devices()) {
        assertThat(device.guest()).as("step %d: %s", step, device).isEmpty();
        assertFenced(device.name(), step);
      }
    }

    /** No DMA; and no answer either, unless the broker could not even open it any more. */
    void assertFenced(DeviceName device, int step) {
      Optional<String> quarantine = status(device).quarantine();
      int fence = quarantine.isEmpty() ? FENCE : ConfigRegisters.COMMAND_BUS_MASTER;
      assertThat(bus.hardware(device).read16(ConfigRegisters.COMMAND) & fence)
          .as("step %d: %s answers, or does DMA; %s", step, device, quarantine)
          .isZero();
    }

    /** The same broker can do what failed, at once; with what is in quarantine, seized anew. */
    void assertThatTheNextGrantWorks() {
      List<Broker.DeviceStatus> owned = broker.devices();
      owned.stream().filter(d -> d.quarantine().isPresent()).forEach(d -> broker.release(d.name()));
      for (DeviceName device : List.of(first, second)) {
        if (broker.devices().stream().noneMatch(d -> d.name().equals(device))) {
          broker.seize(device);
        }
      }
      Grant next = grant(first, second);
      assertThat(next.connect()).hasSize(2);
      for (PciDevice device : next.devices()) {
        assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
        assertThat(device.config().read8(ConfigRegisters.CACHE_LINE_SIZE))
            .as("what the last guest wrote")
            .isZero();
      }
      next.revoke(Duration.ZERO);
    }

    void assertNothingIsHeldAfterClose() {
      broker.close();
      for (DeviceName device : List.of(first, second)) {
        try (PciDevice opened = bus.open(device)) {
          assertThat(opened.usage()).isEqualTo(PciDevice.Usage.NONE);
        }
      }
    }

    @Override
    public void close() {
      backend.recover();
      broker.close();
      bus.close();
    }
  }
}
