package org.gatun.simulated.trace;

import static org.assertj.core.api.Assertions.assertThat;

import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.SpecimenModel;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What is written down of a session with the specimen. */
class RecorderTest {
  private final SimulatedBus bus = SimulatedBus.virtualTime();

  @AfterEach
  void closeBus() {
    bus.close();
  }

  @Test
  void equalReadsAreCounted() {
    Recorder recorder = new Recorder(bus.open(bus.plug("a", new SpecimenModel())), bus.time());
    try (PciDevice device = recorder.device();
        Mmio registers = device.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100)) {
      for (int i = 0; i < 1000; i++) {
        assertThat(registers.read32(0x20)).isZero();
      }
      assertThat(registers.read32(0x24)).isZero();
      registers.write32(0x20, 5);
      assertThat(registers.read32(0x20)).isEqualTo(5);
      assertThat(registers.read32(0x20)).isEqualTo(5);
    }

    assertThat(recorder.recording().text())
        .endsWith(
            "read32 BAR0+0x20 = 0x0 *1000",
            "read32 BAR0+0x24 = 0x0",
            "write32 BAR0+0x20 = 0x5",
            "read32 BAR0+0x20 = 0x5 *2",
            "close");
  }
}
