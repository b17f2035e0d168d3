package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.gatun.pci.DeviceName;
import org.gatun.pci.Interrupts;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.Vector;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Interrupt pins: levels, on lines that they share. */
@NullMarked
class InterruptLineTest {
  private final SimulatedBus bus = SimulatedBus.virtualTime();

  @AfterEach
  void close() {
    bus.close();
  }

  @Test
  void eachHearsItsOwnOnALineThatTheyShare() {
    DeviceName one = bus.plug("one", new SpecimenModel());
    DeviceName two = bus.plugBeside(one, "two", new SpecimenModel());
    try (PciDevice first = bus.open(one);
        PciDevice second = bus.open(two)) {
      Vector mine = first.interrupts().enable(Interrupts.Kind.INTX, 1).getFirst();
      Vector theirs = second.interrupts().enable(Interrupts.Kind.INTX, 1).getFirst();
      assertThat(line(one)).isEqualTo(new InterruptLine(0, List.of(one, two), List.of()));

      raise(first);
      assertThat(mine.poll()).isTrue();
      assertThat(theirs.poll()).isFalse();
      assertThat(status(first)).isTrue();
      assertThat(status(second)).isFalse();

      raise(second);
      assertThat(theirs.poll()).isTrue();
      release(first);
      assertThat(line(one).asserting()).containsExactly(two);
      mine.mask(false);
      theirs.mask(false);
      assertThat(mine.poll()).as("the line is still asserted, by another").isFalse();
      assertThat(theirs.poll()).as("a level that is still there").isTrue();
      release(second);
      theirs.mask(false);
      assertThat(theirs.poll()).isFalse();
      assertThat(line(two).isAsserted()).isFalse();
    }
  }

  /** PCI Local Bus Specification 3.0, 6.2.2: Interrupt Status is set all the same. */
  @Test
  void aFunctionWithInterruptDisableLetsTheLineGo() {
    DeviceName name = bus.plug("one", new SpecimenModel());
    try (PciDevice device = bus.open(name)) {
      Vector vector = device.interrupts().enable(Interrupts.Kind.INTX, 1).getFirst();
      HardwareConfig config = bus.hardware(name);
      int command = config.read16(ConfigRegisters.COMMAND);
      config.write16(ConfigRegisters.COMMAND, command | ConfigRegisters.COMMAND_INTX_DISABLE);
      raise(device);
      assertThat(vector.poll()).isFalse();
      assertThat(status(device)).isTrue();
      assertThat(line(name).isAsserted()).isFalse();
      config.write16(ConfigRegisters.COMMAND, command);
      assertThat(line(name).isAsserted()).isTrue();
      assertThat(vector.poll()).isTrue();
    }
  }

  @Test
  void aFunctionThatSendsMessagesLetsTheLineGo() {
    DeviceName name = bus.plug("one", new SpecimenModel());
    try (PciDevice device = bus.open(name)) {
      HardwareConfig config = bus.hardware(name);
      int control = Capabilities.walk(config).find(Capability.MSI).orElseThrow().offset() + 2;
      raise(device);
      assertThat(line(name).isAsserted()).isTrue();
      config.write16(control, config.read16(control) | 1);
      assertThat(line(name).isAsserted()).isFalse();
      config.write16(control, config.read16(control) & ~1);
      assertThat(line(name).isAsserted()).isTrue();
    }
  }

  @Test
  void eachBridgeTurnsThePinsOfWhatIsBehind() {
    DeviceName root = bus.plug("root", new RootPortModel());
    DeviceName edu = bus.plug("edu", new EduModel());
    DeviceName top = bus.plugBehind(root, "switch", SwitchPortModel.upstream());
    DeviceName left = bus.plugBehind(top, "left", SwitchPortModel.downstream());
    DeviceName right = bus.plugBehind(top, "right", SwitchPortModel.downstream());
    DeviceName one = bus.plugBehind(left, "one", new EduModel());
    DeviceName two = bus.plugBehind(right, "two", new EduModel());
    assertThat(line(one).number()).isEqualTo(0);
    assertThat(line(two).number()).isEqualTo(1);
    assertThat(line(two).sharing()).containsExactly(edu, right, two);
  }

  private InterruptLine line(DeviceName name) {
    return bus.interruptLine(name).orElseThrow();
  }

  private static void raise(PciDevice specimen) {
    try (Mmio mmio = specimen.bar(0).orElseThrow().map(0, 0x100)) {
      mmio.write32(SpecimenModel.INTERRUPT, 0);
    }
  }

  private static void release(PciDevice specimen) {
    try (Mmio mmio = specimen.bar(0).orElseThrow().map(0, 0x100)) {
      mmio.write32(SpecimenModel.INTERRUPT_RELEASE, 0);
    }
  }

  private static boolean status(PciDevice device) {
    return (device.config().read16(ConfigRegisters.STATUS) & ConfigRegisters.STATUS_INTERRUPT) != 0;
  }
}
