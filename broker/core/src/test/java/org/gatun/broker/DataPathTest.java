package org.gatun.broker;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeOptions;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.Interrupts.Kind;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.SpecimenModel;
import org.gatun.specs.nvme.NvmeRegisters;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** On the data path a grant adds nothing: the same classes, on the same memory. */
class DataPathTest {
  private final Site site = Site.realTime();

  @AfterEach
  void close() {
    site.close();
  }

  @Test
  void mappedRegistersAreTheDevicesOwnMemory() {
    DeviceName name = site.seize("device", new SpecimenModel());
    PciDevice device = site.grant("guest", name).connect().getFirst();
    Bar bar = device.bar(SpecimenModel.REGISTERS).orElseThrow();
    try (Mmio registers = bar.map(SpecimenModel.DIRECT, 0x1000);
        Mmio again = bar.map(SpecimenModel.DIRECT, 0x1000)) {
      // Mmio is final: what a driver holds differs from the backend's in nothing but a handler.
      assertThat(registers.isDirect()).isTrue();
      for (int offset = 0; offset < 0x1000; offset += 8) {
        long value = 0x0123_4567_89ab_cdefL * (offset + 1);
        registers.write64(offset, value);
        assertThat(again.read64(offset)).isEqualTo(value);
        assertThat(site.bus.peek(name, SpecimenModel.REGISTERS, SpecimenModel.DIRECT + offset, 8))
            .isEqualTo(value);
      }
    }
  }

  @Test
  void whatTheDeviceWritesIsInTheMappedMemory() {
    DeviceName name = site.seize("device", new SpecimenModel());
    PciDevice device = site.grant("guest", name).connect().getFirst();
    device.busMaster(true);
    try (Mmio registers = device.bar(SpecimenModel.REGISTERS).orElseThrow().map(0, 0x100);
        Mmio memory = device.bar(SpecimenModel.MEMORY).orElseThrow().map(0, 0x1000);
        DmaBuffer buffer = device.dma().allocate(4096, 4096)) {
      buffer.putLong(8, 0x0123_4567_89ab_cdefL);
      registers.write64(SpecimenModel.DMA_ADDRESS, buffer.busAddress());
      registers.write32(SpecimenModel.DMA_LENGTH, 16);
      registers.write32(SpecimenModel.DMA_COMMAND, SpecimenModel.DMA_READ);

      assertThat(memory.isDirect()).isTrue();
      assertThat(memory.read64(8)).isEqualTo(0x0123_4567_89ab_cdefL);
    }
  }

  @Test
  void dmaMemoryIsTheGuestsOwn() {
    DeviceName name = site.seize("device", new SpecimenModel());
    PciDevice device = site.grant("guest", name).connect().getFirst();
    try (Arena arena = Arena.ofShared()) {
      MemorySegment memory = arena.allocate(4096, 4096);
      try (DmaBuffer buffer = device.dma().map(memory, DmaDirection.BIDIRECTIONAL)) {
        assertThat(buffer.segment().address()).isEqualTo(memory.address());
      }
    }
  }

  @Test
  void vectorsAreTheBackends() {
    DeviceName bare = site.bus.plug("bare", new SpecimenModel());
    DeviceName name = site.seize("device", new SpecimenModel());
    PciDevice device = site.grant("guest", name).connect().getFirst();
    try (PciDevice opened = site.bus.open(bare)) {
      assertThat(device.interrupts().enable(Kind.MSIX, 1).getFirst())
          .hasSameClassAs(opened.interrupts().enable(Kind.MSIX, 1).getFirst());
    }
  }

  /** Of a disk whose doorbells are memory, as a real one's are, I/O takes nothing but memory. */
  @Test
  void doorbellsOfADiskAreMapped() {
    DeviceName disk = site.seize("disk", NvmeModel.builder().sharedDoorbells(true).build());
    PciDevice device = site.grant("guest", disk).connect().getFirst();
    List<Bar.Range> direct =
        device.bar(0).orElseThrow().ranges().stream()
            .filter(range -> range.access() == Bar.Access.DIRECT)
            .toList();

    assertThat(direct)
        .anyMatch(range -> range.contains(NvmeRegisters.submissionTailDoorbell(1, 0), 8));
    try (NvmeController controller = NvmeController.open(device, NvmeOptions.defaults())) {
      assertThat(controller.namespace(1).blocks()).isPositive();
    }
  }
}
