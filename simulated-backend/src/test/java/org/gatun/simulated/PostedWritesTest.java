package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.gatun.pci.DeviceName;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PortIo;
import org.gatun.pci.Vector;
import org.gatun.pci.config.ConfigRegisters;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;

/** Writes that are under way while the driver goes on. */
@NullMarked
class PostedWritesTest {
  /** Longer than any takes. */
  private static final Duration ARRIVED = Duration.ofMillis(1);

  @Test
  void aWriteArrivesLaterAndInItsOrder() {
    try (SimulatedBus bus = SimulatedBus.virtualTime()) {
      bus.postWrites(1);
      ProbeModel model = new ProbeModel();
      PciDevice device = bus.open(bus.plug("probe", model));
      Mmio mmio = device.bar(0).orElseThrow().map(0, 0x1000);
      long[] registers = model.running().registers;
      int early = 0;
      for (int i = 1; i <= 100; i++) {
        for (int register = 0; register < 10; register++) {
          mmio.write64(8L * register, i);
        }
        assertThat(registers[9]).as("not yet").isEqualTo(i - 1);
        bus.time().spin();
        for (int register = 1; register < 10; register++) {
          assertThat(registers[register - 1]).isGreaterThanOrEqualTo(registers[register]);
        }
        early += registers[0] == i && registers[9] < i ? 1 : 0;
        bus.time().sleep(ARRIVED);
        assertThat(registers[9]).isEqualTo(i);
      }
      assertThat(early).as("some arrived while others were under way").isPositive();
    }
  }

  @Test
  void whatIsReadAfterwardsComesAfterThem() {
    try (SimulatedBus bus = SimulatedBus.virtualTime()) {
      bus.postWrites(2);
      ProbeModel model = new ProbeModel();
      PciDevice device = bus.open(bus.plug("probe", model));
      Mmio mmio = device.bar(0).orElseThrow().map(0, 0x1000);
      Mmio again = device.bar(0).orElseThrow().map(0x800, 0x100);
      long[] registers = model.running().registers;
      List<Runnable> flushes =
          List.of(
              () -> mmio.read32(0x10),
              () -> again.read32(0),
              () -> device.config().read16(ConfigRegisters.STATUS),
              () -> device.config().write8(ConfigRegisters.INTERRUPT_LINE, 1),
              () -> device.busMaster(true),
              device::reset);
      for (int i = 0; i < flushes.size(); i++) {
        mmio.write64(0, i + 1);
        assertThat(registers[0]).isEqualTo(i);
        flushes.get(i).run();
        assertThat(registers[0]).as("after %d", i).isEqualTo(i + 1);
      }
    }
  }

  @Test
  void portsArePostedNothing() {
    try (SimulatedBus bus = SimulatedBus.virtualTime()) {
      bus.postWrites(3);
      PciDevice device = bus.open(bus.plug("specimen", new SpecimenModel()));
      Mmio mmio = device.bar(0).orElseThrow().map(0, 0x100);
      PortIo ports = device.bar(SpecimenModel.PORTS).orElseThrow().ports();
      Vector vector = device.interrupts().enable(Interrupts.Kind.INTX, 1).getFirst();
      mmio.write32(SpecimenModel.INTERRUPT, 0);
      assertThat(vector.poll()).isFalse();
      ports.write8(0, 5);
      assertThat(vector.poll()).as("the port was written after").isTrue();
      assertThat(bus.peek(device.name(), SpecimenModel.PORTS, 0, 1)).isEqualTo(5);
    }
  }

  @Test
  void theBuffersOnTheWayAreFinite() {
    try (SimulatedBus bus = SimulatedBus.virtualTime()) {
      bus.postWrites(4);
      ProbeModel model = new ProbeModel();
      PciDevice device = bus.open(bus.plug("probe", model));
      Mmio mmio = device.bar(0).orElseThrow().map(0, 0x1000);
      for (int i = 1; i <= 1000; i++) {
        mmio.write64(0, i);
      }
      assertThat(model.running().registers[0]).isBetween(900L, 999L);
    }
  }

  @Test
  void theNextOwnerGetsNoneOfTheLast() {
    try (SimulatedBus bus = SimulatedBus.virtualTime()) {
      bus.postWrites(1);
      nextOwner(bus);
    }
  }

  private static void nextOwner(SimulatedBus bus) {
    ProbeModel withoutReset = new ProbeModel(StandardCapabilities.expressEndpoint(false));
    DeviceName name = bus.plug("without-reset", withoutReset);
    try (PciDevice first = bus.open(name)) {
      first.bar(0).orElseThrow().map(0, 0x100).write32(0, 0x1234);
    }
    assertThat(withoutReset.running().registers[0]).as("arrived").isEqualTo(0x1234);
    try (PciDevice second = bus.open(name);
        Mmio mmio = second.bar(0).orElseThrow().map(0, 0x100)) {
      withoutReset.running().registers[0] = 5;
      bus.time().sleep(ARRIVED);
      assertThat(mmio.read32(0)).isEqualTo(5);
    }
  }

  @Test
  void theSameSeedIsTheSameRun() {
    assertThat(run(5)).isEqualTo(run(5)).isNotEqualTo(run(6));
  }

  private static List<Long> run(long seed) {
    List<Long> seen = new ArrayList<>();
    try (SimulatedBus bus = SimulatedBus.virtualTime()) {
      bus.postWrites(seed);
      ProbeModel model = new ProbeModel();
      PciDevice device = bus.open(bus.plug("probe", model));
      Mmio mmio = device.bar(0).orElseThrow().map(0, 0x1000);
      for (int i = 1; i <= 100; i++) {
        mmio.write64(0, i);
        bus.time().spin();
        seen.add(model.running().registers[0]);
      }
    }
    return seen;
  }
}
