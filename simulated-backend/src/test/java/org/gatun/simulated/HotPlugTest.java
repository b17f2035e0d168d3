package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatNoException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.Vector;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.simulated.fault.Effect;
import org.gatun.simulated.fault.Fault;
import org.gatun.simulated.fault.Faults;
import org.gatun.simulated.fault.Point;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Devices that come and go, and the slots of ports that show it (PCI Express 5.0, 6.7.3). */
@NullMarked
class HotPlugTest {
  private static final Duration UNTIL_HEARD = Duration.ofMillis(5);
  private static final Duration TRAINED = Duration.ofMillis(10);
  private static final int PRESENCE_CHANGED = 1 << 3;
  private static final int PRESENT = 1 << 6;
  private static final int LINK_CHANGED = 1 << 8;
  private static final int LINK_ACTIVE = 1 << 13;

  /** Slot Control: interrupt, when presence has changed. */
  private static final int ENABLE = 1 << 5 | 1 << 3;

  private static final int POWER_OFF = 1 << 10;
  private static final int LINK_DISABLE = 1 << 4;

  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final ProbeModel model = new ProbeModel();
  private final DeviceName port = bus.plug("port", new RootPortModel());
  private final HardwareConfig portConfig = bus.hardware(port);
  private final int express =
      Capabilities.walk(portConfig).find(Capability.PCI_EXPRESS).orElseThrow().offset();

  @AfterEach
  void close() {
    bus.close();
  }

  @Test
  void theSlotShowsWhatIsInIt() {
    assertThat(slotStatus()).isZero();
    assertThat(linkStatus() & LINK_ACTIVE).isZero();

    DeviceName probe = bus.plugBehind(port, "probe", model);
    assertThat(slotStatus()).isEqualTo(PRESENT | PRESENCE_CHANGED | LINK_CHANGED);
    assertThat(linkStatus() & LINK_ACTIVE).isNotZero();
    portConfig.write16(express + 0x1a, PRESENCE_CHANGED | LINK_CHANGED);
    assertThat(slotStatus()).isEqualTo(PRESENT);
    bus.plugBeside(probe, "beside", new EduModel());
    assertThat(slotStatus()).isEqualTo(PRESENT);

    bus.unplug(probe);
    assertThat(slotStatus()).isEqualTo(PRESENT);
    bus.unplug(DeviceName.parse("simulated:beside"));
    assertThat(slotStatus()).isEqualTo(PRESENCE_CHANGED | LINK_CHANGED);
    assertThat(linkStatus() & LINK_ACTIVE).isZero();
  }

  @ParameterizedTest
  @EnumSource(
      value = Interrupts.Kind.class,
      names = {"INTX", "MSI"})
  void thePortInterruptsIfItIsToldTo(Interrupts.Kind kind) {
    try (PciDevice driven = bus.open(port)) {
      Vector vector = driven.interrupts().enable(kind, 1).getFirst();
      driven.busMaster(true);
      bus.plugBehind(port, "quiet", new EduModel());
      assertThat(vector.await(Duration.ofMillis(1))).isFalse();
      bus.unplug(DeviceName.parse("simulated:quiet"));
      driven.config().write16(express + 0x1a, PRESENCE_CHANGED | LINK_CHANGED);

      driven.config().write16(express + 0x18, ENABLE);
      bus.plugBehind(port, "probe", model);
      assertThat(vector.await(Duration.ofMillis(1))).isTrue();
      vector.mask(false);
      assertThat(vector.poll()).as("a level").isEqualTo(kind == Interrupts.Kind.INTX);
      driven.config().write16(express + 0x1a, PRESENCE_CHANGED | LINK_CHANGED);
      vector.mask(false);
      assertThat(vector.poll()).isFalse();

      bus.unplug(DeviceName.parse("simulated:probe"));
      assertThat(vector.await(Duration.ofMillis(1))).isTrue();
    }
  }

  @Test
  void whatIsPulledOutReadsAsOnesUntilItsOwnerHears() {
    DeviceName name = bus.plugBehind(port, "probe", model);
    PciDevice device = bus.open(name);
    Mmio mmio = device.bar(0).orElseThrow().map(0, 0x100);
    Vector vector = device.interrupts().enable(Interrupts.Kind.MSI, 1).getFirst();
    DmaBuffer buffer = device.dma().allocate(4096, 4096);
    List<String> causes = new ArrayList<>();
    device.onDetach(listener(causes));
    device.busMaster(true);
    mmio.write32(0, 0x1234);
    portConfig.write16(express + 0x1a, PRESENCE_CHANGED | LINK_CHANGED);

    bus.pull(name, UNTIL_HEARD);
    assertThat(slotStatus()).isEqualTo(PRESENCE_CHANGED | LINK_CHANGED);
    assertThat(mmio.read32(0)).isEqualTo(-1);
    mmio.write32(0, 5);
    assertThat(device.config().read16(ConfigRegisters.VENDOR_ID)).isEqualTo(0xffff);
    device.busMaster(true);
    assertThat(model.running().port.writeLong(buffer.busAddress(), 1)).isFalse();
    model.running().context.signal(0);
    assertThat(vector.poll()).isFalse();
    assertThat(causes).isEmpty();
    assertThat(bus.iommu().faultCount()).isZero();
    assertThat(model.running().registers[0]).isEqualTo(0x1234);

    bus.time().sleep(UNTIL_HEARD);
    assertThat(causes).hasSize(1);
    assertThatThrownBy(() -> mmio.read32(0)).isInstanceOf(DeviceGoneException.class);
    assertThat(buffer.getLongAcquire(0)).as("its memory is still the owner's").isZero();
    device.close();
    bus.plugBehind(port, "probe", new EduModel());
    assertThat(slotStatus() & PRESENT).isNotZero();
  }

  @Test
  void aPortIsPulledOutWithAllThatIsBehind() {
    DeviceName inner = bus.plugBehind(port, "switch", SwitchPortModel.upstream());
    DeviceName down = bus.plugBehind(inner, "down", SwitchPortModel.downstream());
    DeviceName name = bus.plugBehind(down, "probe", model);
    PciDevice device = bus.open(name);
    Mmio mmio = device.bar(0).orElseThrow().map(0, 0x100);
    bus.pull(inner, UNTIL_HEARD);
    assertThat(mmio.read32(0)).isEqualTo(-1);
    assertThat(device.config().read32(0)).isEqualTo(-1);
    bus.unplug(name);
    bus.time().sleep(UNTIL_HEARD);
    assertThat(bus.scan()).hasSize(1);
  }

  /** When it is out, no access comes any more: not one that was in progress either. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void itIsPulledOutInTheMiddleOfDma(boolean silently) throws InterruptedException {
    try (SimulatedBus real = SimulatedBus.realTime();
        Arena arena = Arena.ofShared()) {
      MemorySegment source = arena.allocate(1 << 20);
      source.fill((byte) 1);
      for (int round = 0; round < 20; round++) {
        DeviceName name = real.plug("probe" + round, model);
        PciDevice device = real.open(name);
        DmaBuffer buffer = device.dma().allocate(1 << 20, 4096);
        device.busMaster(true);
        DmaPort dma = model.running().port;
        AtomicLong transfers = new AtomicLong();
        Thread engine =
            Thread.ofPlatform()
                .start(
                    () -> {
                      while (dma.write(buffer.busAddress(), source, 0, 1 << 20)) {
                        transfers.incrementAndGet();
                      }
                    });
        while (transfers.get() == 0 && engine.isAlive()) {
          Thread.onSpinWait();
        }
        if (silently) {
          real.pull(name, Duration.ofMillis(1));
        } else {
          real.unplug(name);
        }
        buffer.segment().fill((byte) 0);
        engine.join();
        assertThat(transfers).hasPositiveValue();
        assertThat(buffer.segment().mismatch(arena.allocate(1 << 20))).isEqualTo(-1);
        device.close();
      }
    }
  }

  @Test
  void nothingIsPluggedInBehindAPortThatIsPulledOut() {
    PciDevice device = bus.open(bus.plugBehind(port, "probe", model));
    List<Throwable> refused = new ArrayList<>();
    device.onDetach(
        new DetachListener() {
          @Override
          public void requested(Duration deadline) {}

          @Override
          public void gone(String cause) {
            refused.add(catchThrowable(() -> bus.plugBehind(port, "late", new EduModel())));
          }
        });
    bus.unplug(port);

    assertThat(refused)
        .singleElement()
        .isInstanceOf(IllegalArgumentException.class)
        .hasToString("java.lang.IllegalArgumentException: simulated:port is being pulled out");
    assertThat(bus.scan()).isEmpty();
  }

  @Test
  void aLinkThatGoesDownIsSeenAtThePort() {
    bus.plugBehind(port, "probe", model);
    portConfig.write16(express + 0x1a, PRESENCE_CHANGED | LINK_CHANGED);

    model.running().context.link().down();
    assertThat(linkStatus() & LINK_ACTIVE).isZero();
    assertThat(slotStatus()).isEqualTo(PRESENT | LINK_CHANGED);
    portConfig.write16(express + 0x1a, LINK_CHANGED);
    model.running().context.link().up();
    bus.time().sleep(TRAINED);
    assertThat(linkStatus() & LINK_ACTIVE).isNotZero();
    assertThat(slotStatus()).isEqualTo(PRESENT | LINK_CHANGED);
  }

  @Test
  void aLinkCanGoDownAgainWhileItComesUp() {
    Faults faults = new Faults();
    DeviceName name = bus.plugBehind(port, "probe", faults.on(model));
    try (PciDevice device = bus.open(name)) {
      Mmio mmio = device.bar(0).orElseThrow().map(0, 0x100);
      faults.add(Fault.at(Point.RESET, new Effect.LinkDown(Duration.ofSeconds(1))).times(1));
      model.running().context.link().down();
      model.running().context.link().up();
      bus.time().sleep(TRAINED);
      assertThat(mmio.read32(0)).isEqualTo(-1);
      bus.time().sleep(Duration.ofSeconds(1).plus(TRAINED));
      assertThat(mmio.read32(0)).isZero();
    }
  }

  /** An open takes a device that is in its slot, and one that goes is told to whoever has it. */
  @RepeatedTest(50)
  void whoOpensWhatIsPulledOutHearsOfIt() throws Exception {
    CyclicBarrier start = new CyclicBarrier(2);
    DeviceName name = bus.plugBehind(port, "probe", model);
    FutureTask<Optional<PciDevice>> opening =
        new FutureTask<>(
            () -> {
              start.await();
              try {
                return Optional.of(bus.open(name));
              } catch (DeviceUnavailableException _) {
                return Optional.empty();
              }
            });
    Thread.ofPlatform().daemon().start(opening);
    start.await();
    bus.unplug(name);

    Optional<PciDevice> opened = opening.get(10, TimeUnit.SECONDS);
    opened.ifPresent(
        device -> {
          assertThatThrownBy(() -> device.config().read16(0))
              .isInstanceOf(DeviceGoneException.class);
          device.close();
        });
    assertThat(bus.scan()).hasSize(1);
  }

  @Test
  void aPortsInterruptsAreSwitchedWhileThingsComeAndGo() {
    try (SimulatedBus busy = SimulatedBus.realTime()) {
      DeviceName slot = busy.plug("slot", new RootPortModel());
      PciDevice driven = busy.open(slot);
      driven.config().write16(express + 0x18, ENABLE);
      FutureTask<Void> switching =
          new FutureTask<>(
              () -> {
                for (int i = 0; i < 2000; i++) {
                  driven.interrupts().enable(Interrupts.Kind.MSI, 1);
                  driven.interrupts().disable();
                  driven.config().write16(express + 0x1a, PRESENCE_CHANGED | LINK_CHANGED);
                }
                return null;
              });
      Thread.ofPlatform().daemon().start(switching);
      Thread plugging =
          new Thread(
              () -> {
                for (int i = 0; !switching.isDone(); i++) {
                  busy.unplug(busy.plugBehind(slot, "edu" + i, new EduModel()));
                }
              });
      plugging.setDaemon(true);
      plugging.start();

      assertThat(switching).succeedsWithin(Duration.ofSeconds(30));
      assertThatNoException().isThrownBy(() -> plugging.join(30_000));
      assertThat(plugging.getState()).isEqualTo(Thread.State.TERMINATED);
    }
  }

  @Test
  void aSlotWithoutPowerHasNoLink() {
    DeviceName name = bus.plugBehind(port, "probe", model);
    try (PciDevice device = bus.open(name)) {
      Mmio mmio = device.bar(0).orElseThrow().map(0, 0x100);
      for (int[] off : new int[][] {{0x18, POWER_OFF}, {0x10, LINK_DISABLE}}) {
        device.busMaster(true);
        int resets = model.running().resets.get();
        portConfig.write16(express + off[0], off[1]);
        assertThat(mmio.read32(0)).isEqualTo(-1);
        assertThat(linkStatus() & LINK_ACTIVE).isZero();
        assertThat(slotStatus() & PRESENT).isNotZero();
        portConfig.write16(express + off[0], 0);
        assertThat(linkStatus() & LINK_ACTIVE).isNotZero();
        assertThat(model.running().resets).hasValue(resets + 1);
        assertThat(device.config().read16(ConfigRegisters.COMMAND)).isEqualTo(2);
      }
    }
  }

  private int slotStatus() {
    return portConfig.read16(express + 0x1a);
  }

  private int linkStatus() {
    return portConfig.read16(express + 0x12);
  }

  private static DetachListener listener(List<String> causes) {
    return new DetachListener() {
      @Override
      public void requested(Duration deadline) {
        throw new AssertionError("nobody asked");
      }

      @Override
      public void gone(String cause) {
        causes.add(cause);
      }
    };
  }
}
