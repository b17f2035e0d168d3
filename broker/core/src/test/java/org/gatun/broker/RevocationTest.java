package org.gatun.broker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.gatun.pci.Bar;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Event;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.Vector;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.simulated.EduModel;
import org.gatun.simulated.RootPortModel;
import org.gatun.simulated.SpecimenModel;
import org.gatun.specs.edu.EduRegisters;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RevocationTest {
  private final Site site = Site.realTime();
  private final DeviceName device = site.seize("device", new SpecimenModel());

  @AfterEach
  void close() {
    site.close();
  }

  @Test
  void afterItEachUseThrowsAndReachesNoDevice() {
    Grant grant = site.grant("guest", device);
    PciDevice granted = grant.connect().getFirst();
    Bar registers = granted.bar(SpecimenModel.REGISTERS).orElseThrow();
    Bar ports = granted.bar(SpecimenModel.PORTS).orElseThrow();
    Mmio trapped = registers.map(0, 0x100);
    Mmio direct = registers.map(SpecimenModel.DIRECT, 0x1000);
    DmaBuffer buffer = granted.dma().allocate(4096, 4096);
    Vector vector = granted.interrupts().enable(Kind.MSIX, 2).getFirst();
    ConfigSpace config = granted.config();
    var portsIo = ports.ports();
    var dma = granted.dma();
    var interrupts = granted.interrupts();

    grant.revoke(Duration.ZERO);
    // The next guest has the device now, and it answers: to nobody else.
    PciDevice next = site.grant("next", device).connect().getFirst();
    Mmio nextRegisters = next.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100);
    int shown = nextRegisters.read32(0x40);
    long command = site.bus.hardware(device).read16(ConfigRegisters.COMMAND);

    Map<String, ThrowingCallable> uses = new LinkedHashMap<>();
    uses.put("trapped read", () -> trapped.read32(0x40));
    uses.put("trapped write", () -> trapped.write32(0x40, ~shown));
    uses.put("direct read", () -> direct.read32(0));
    uses.put("direct write", () -> direct.write32(0, 1));
    uses.put("DMA memory", () -> buffer.getIntAcquire(0));
    uses.put("DMA memory, written", () -> buffer.putInt(0, 1));
    uses.put("vector", () -> vector.poll());
    uses.put("vector wait", () -> vector.await(Duration.ofSeconds(1)));
    uses.put("vector mask", () -> vector.mask(true));
    uses.put("config read", () -> config.read32(0));
    uses.put("config write", () -> config.write16(ConfigRegisters.COMMAND, 7));
    uses.put("config space", granted::config);
    uses.put("port", () -> portsIo.read8(0));
    uses.put("port write", () -> portsIo.write8(0, 1));
    uses.put("map", () -> registers.map(0, 0x100));
    uses.put("BAR", () -> granted.bar(0));
    uses.put("ports", () -> ports.ports().read8(0));
    uses.put("allocate", () -> dma.allocate(4096, 4096));
    uses.put("limit", () -> dma.limitTo(32));
    uses.put("DMA", granted::dma);
    uses.put("enable", () -> interrupts.enable(Kind.MSIX, 1));
    uses.put("interrupts", granted::interrupts);
    uses.put("bus master", () -> granted.busMaster(true));
    uses.put("reset", granted::reset);
    uses.put("listener", () -> granted.onDetach(new Silent()));
    uses.forEach(
        (what, use) -> assertThatThrownBy(use).as(what).isInstanceOf(DeviceGoneException.class));

    assertThat(nextRegisters.read32(0x40)).isEqualTo(shown);
    assertThat(site.bus.hardware(device).read16(ConfigRegisters.COMMAND)).isEqualTo((int) command);
    granted.close();
    assertThat(next.usage().mappings()).isEqualTo(1);
    assertThat(granted.usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  @Test
  void aGuestThatListensIsAskedFirst() {
    Grant grant = site.grant("guest", device);
    PciDevice granted = grant.connect().getFirst();
    List<String> heard = new ArrayList<>();
    granted.onDetach(
        new DetachListener() {
          @Override
          public void requested(Duration deadline) {
            heard.add("requested");
            granted.close();
          }

          @Override
          public void gone(String cause) {
            heard.add("gone");
          }
        });

    grant.revoke(Duration.ofSeconds(60));

    assertThat(heard).containsExactly("requested");
    assertThat(grant.state()).isEqualTo(GrantState.CLOSED);
  }

  @Test
  void aGuestThatDoesNotLetGoIsForcedAtTheDeadline() throws InterruptedException {
    Grant grant = site.grant("guest", device);
    PciDevice granted = grant.connect().getFirst();
    CountDownLatch gone = new CountDownLatch(1);
    CountDownLatch never = new CountDownLatch(1);
    granted.onDetach(
        new DetachListener() {
          @Override
          public void requested(Duration deadline) {
            try {
              never.await();
            } catch (InterruptedException _) {
              Thread.currentThread().interrupt();
            }
          }

          @Override
          public void gone(String cause) {
            gone.countDown();
          }
        });

    grant.revoke(Duration.ofMillis(50));

    assertThatThrownBy(granted::config).isInstanceOf(DeviceGoneException.class);
    gone.await();
    never.countDown();
  }

  @Test
  void aGuestsEventThatNeverReturnsDoesNotHoldUpRevocation() {
    DeviceName edu = site.seize("edu", new EduModel());
    Grant grant = site.grant("guest", edu);
    PciDevice granted = grant.connect().getFirst();
    granted.busMaster(true);
    CountDownLatch signalled = new CountDownLatch(1);
    CountDownLatch end = new CountDownLatch(1);
    granted
        .interrupts()
        .enable(Kind.MSI, 1)
        .getFirst()
        .connect(
            new Event() {
              @Override
              public void signal() {
                signalled.countDown();
                try {
                  end.await();
                } catch (InterruptedException _) {
                  Thread.currentThread().interrupt();
                }
              }

              @Override
              public <T> Optional<T> unwrap(Class<T> exactType) {
                return Optional.empty();
              }
            });
    Mmio registers = granted.bar(EduRegisters.BAR).orElseThrow().map(0, EduRegisters.BAR_SIZE);
    registers.write32(EduRegisters.STATUS, EduRegisters.STATUS_RAISE_INTERRUPT);
    registers.write32(EduRegisters.FACTORIAL, 3);
    try {
      assertTimeoutPreemptively(
          Duration.ofSeconds(60),
          () -> {
            signalled.await();
            grant.revoke(Duration.ZERO);
          });

      assertThat(grant.state()).isEqualTo(GrantState.CLOSED);
      assertThat(end.getCount()).as("the event still blocks").isEqualTo(1);
      // And the next guest has the device.
      assertThat(site.grant("next", edu).connect()).hasSize(1);
    } finally {
      end.countDown();
    }
  }

  @Test
  void whatIsFencedDoesNoDmaAndAnswersNowhere() {
    Grant grant = site.grant("guest", device);
    PciDevice granted = grant.connect().getFirst();
    granted.busMaster(true);

    grant.revoke(Duration.ZERO);

    assertThat(
            site.bus.hardware(device).read16(ConfigRegisters.COMMAND)
                & (ConfigRegisters.COMMAND_IO
                    | ConfigRegisters.COMMAND_MEMORY
                    | ConfigRegisters.COMMAND_BUS_MASTER))
        .isZero();
  }

  /** A simulated device resets itself when it is closed, whatever the broker did before. */
  @Test
  void theBackendIsToldInTheOrderThatLeavesNothingToTheGuest() {
    FailingBackend backend = new FailingBackend(site.bus, FailingBackend.Failure.TYPED);
    DeviceName told = site.bus.plug("told", new SpecimenModel());
    List<String> calls = new ArrayList<>();
    try (Broker broker = new Broker(List.of(backend))) {
      broker.seize(told);
      Grant grant = broker.grant("guest", Quota.DEFAULT, List.of(DeviceRequest.of(told)));
      GrantedDevice granted = grant.connect().getFirst();
      granted.busMaster(true);
      granted.interrupts().enable(Kind.MSIX, 1);
      List<String> guestsCalls = new ArrayList<>();
      backend.listen(
          call -> {
            calls.add(call);
            try {
              granted.config();
              guestsCalls.add("before " + call);
            } catch (DeviceGoneException _) {
              // It is out already.
            }
          });

      grant.revoke(Duration.ZERO);

      assertThat(guestsCalls).as("calls of the guest that would reach the device").isEmpty();
    }
    assertThat(calls)
        .containsSubsequence(
            "decode(false)", "busMaster(false)", "disable()", "release()", "seize");
    assertThat(calls.subList(calls.indexOf("seize"), calls.size()))
        .as("the next grant switches it on")
        .doesNotContain("decode(true)", "busMaster(true)");
  }

  @Test
  void aDeviceWithoutResetEndsInQuarantine() {
    DeviceName edu = site.seize("edu", EduModel.withoutReset());
    DeviceRequest request = DeviceRequest.of(edu).accepting(org.gatun.pci.spi.Hazard.MISSING_RESET);
    Grant grant = site.broker.grant("guest", Quota.DEFAULT, List.of(request));
    grant.connect();

    grant.revoke(Duration.ZERO);

    assertThat(site.broker.devices())
        .filteredOn(d -> d.name().equals(edu))
        .singleElement()
        .satisfies(d -> assertThat(d.quarantine()).get().asString().contains("no reset"));
    assertThatThrownBy(() -> site.broker.grant("next", Quota.DEFAULT, List.of(request)))
        .isInstanceOf(GrantRefusedException.class)
        .hasMessageContaining("quarantine");
  }

  @Test
  void aDeviceThatIsAnotherOneAfterItsResetEndsInQuarantine() {
    Grant grant = site.grant("guest", device);
    grant.connect();
    site.bus.hardware(device).poke(ConfigRegisters.DEVICE_ID, 2, 0x4242);

    grant.revoke(Duration.ZERO);

    assertThat(site.broker.devices().getFirst().quarantine())
        .get()
        .asString()
        .contains("not the device that was seized");
  }

  @Test
  void aDeviceThatWasPulledOutIsTakenBackToo() {
    Grant grant = site.grant("guest", device);
    PciDevice granted = grant.connect().getFirst();
    site.bus.unplug(device);

    grant.revoke(Duration.ZERO);

    assertThat(grant.state()).isEqualTo(GrantState.CLOSED);
    assertThatThrownBy(granted::config).isInstanceOf(DeviceGoneException.class);
  }

  /** A wait ends at once for who is interrupted: this one is done all the same. */
  @Test
  void whoIsInterruptedWaitsForTheGuestsCallsAllTheSame() throws InterruptedException {
    HookedBackend backend = new HookedBackend(site.bus);
    DeviceName name = site.bus.plug("watched", new SpecimenModel());
    List<String> calls = Collections.synchronizedList(new ArrayList<>());
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    try (Broker broker = new Broker(List.of(backend))) {
      broker.seize(name);
      Grant grant = broker.grant("guest", Quota.DEFAULT, List.of(DeviceRequest.of(name)));
      PciDevice granted = grant.connect().getFirst();
      backend.onCall(
          call -> {
            if (call.equals("busMaster") && inside.getCount() > 0) {
              inside.countDown();
              awaitUninterruptibly(goOn);
            }
            calls.add(call);
          });
      Thread guest = Thread.ofPlatform().start(() -> granted.busMaster(true));
      inside.await();
      Thread revoker =
          Thread.ofPlatform()
              .start(
                  () -> {
                    Thread.currentThread().interrupt();
                    grant.revoke(Duration.ZERO);
                    calls.add(Thread.currentThread().isInterrupted() ? "interrupted" : "forgotten");
                  });
      while (revoker.getState() != Thread.State.TIMED_WAITING && calls.isEmpty()) {
        Thread.onSpinWait();
      }
      goOn.countDown();
      guest.join();
      revoker.join();

      assertThat(calls).startsWith("busMaster", "decode").endsWith("interrupted");
    }
  }

  private static void awaitUninterruptibly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void neitherAListenerThatFailsNorADeadlineWithoutEndKeepsTheBrokerFromIt() {
    site.broker.listen(
        (_, _, _) -> {
          throw new IllegalStateException("the test says so");
        });
    Grant grant = site.grant("guest", device);
    grant.connect();

    grant.revoke(Duration.ofSeconds(Long.MAX_VALUE));

    assertThat(grant.state()).isEqualTo(GrantState.CLOSED);
    assertThat(site.grant("next", device).connect()).hasSize(1);
  }

  /** A bus reset is one as long as it resets nobody else. */
  @Test
  void aDeviceThatLostItsResetMeanwhileEndsInQuarantine() {
    DeviceName port = site.bus.plug("port", new RootPortModel());
    DeviceName edu = site.bus.plugBehind(port, "edu", EduModel.withoutReset());
    site.broker.seize(edu);
    Grant grant = site.grant("guest", edu);
    grant.connect();
    site.bus.plugBehind(port, "neighbour", new EduModel());

    grant.revoke(Duration.ZERO);

    assertThat(site.broker.devices().getLast().quarantine())
        .hasValueSatisfying(reason -> assertThat(reason).contains("no reset"));
  }

  @Test
  void whatAGuestSaidOfAddressesDoesNotBindTheNext() {
    PciDevice granted = site.grant("guest", device).connect().getFirst();
    granted.dma().limitTo(12);
    granted.close();

    PciDevice next = site.grant("next", device).connect().getFirst();
    assertThat(next.dma().allocate(1 << 20, 4096).size()).isEqualTo(1 << 20);
  }

  @Test
  void aGuestThatIsRevokedWhileItComesGetsNothing() throws InterruptedException {
    for (int round = 0; round < 200; round++) {
      Grant grant = site.grant("guest", device);
      Thread guest =
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      grant.connect();
                    } catch (DeviceGoneException _) {
                      // Too late.
                    }
                  });
      grant.revoke(Duration.ZERO);
      guest.join();

      assertThat(grant.state()).isEqualTo(GrantState.CLOSED);
      assertThat(
              site.bus.hardware(device).read16(ConfigRegisters.COMMAND)
                  & ConfigRegisters.COMMAND_MEMORY)
          .isZero();
    }
  }

  @Test
  void aDeviceThatIsAddedWhileTheGrantIsRevokedComesBackToo() throws InterruptedException {
    DeviceName late = site.seize("late", new EduModel());
    for (int round = 0; round < 200; round++) {
      Grant grant = site.grant("guest", device);
      grant.connect();
      Thread adder =
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      site.broker.add(grant, DeviceRequest.of(late));
                    } catch (GrantRefusedException _) {
                      // Too late.
                    }
                  });
      grant.revoke(Duration.ZERO);
      adder.join();

      assertThat(site.broker.devices()).allSatisfy(d -> assertThat(d.guest()).isEmpty());
      assertThat(grant.state()).isEqualTo(GrantState.CLOSED);
    }
  }

  @Test
  void itIsDoneOnceWhoeverDoesIt() throws InterruptedException {
    for (int round = 0; round < 50; round++) {
      Grant grant = site.grant("guest", device);
      PciDevice granted = grant.connect().getFirst();
      List<Thread> threads = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        threads.add(Thread.ofPlatform().start(() -> grant.revoke(Duration.ZERO)));
        threads.add(Thread.ofPlatform().start(granted::close));
      }
      for (Thread thread : threads) {
        thread.join();
      }
      assertThat(grant.state()).isEqualTo(GrantState.CLOSED);
      assertThat(site.broker.devices().getFirst().guest()).isEmpty();
    }
  }

  private static final class Silent implements DetachListener {
    @Override
    public void requested(Duration deadline) {}

    @Override
    public void gone(String cause) {}
  }
}
