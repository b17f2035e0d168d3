package org.gatun.vfio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaException;
import org.gatun.pci.PciDevice;
import org.gatun.pci.spi.ResourceTracker;
import org.junit.jupiter.api.Test;

/** What is refused: what is not needs huge pages, and is tested in a virtual machine. */
class PhysicalDmaSpaceTest {
  private static final DeviceName DEVICE = new DeviceName("sysfs", "0000:01:00.0");

  private final ResourceTracker tracker = new ResourceTracker(DEVICE);
  private final PhysicalDmaSpace dma = new PhysicalDmaSpace(DEVICE, tracker);

  @Test
  void memoryOfTheCallersIsRefused() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(8192, 4096);
      assertThatExceptionOfType(DmaException.class)
          .isThrownBy(() -> dma.map(memory, DmaDirection.BIDIRECTIONAL))
          .withMessageStartingWith(DEVICE + ": without an IOMMU")
          .withMessageEndingWith("allocate a buffer, and copy");
      assertThatExceptionOfType(DmaException.class)
          .isThrownBy(() -> dma.mapAt(1 << 24, memory, DmaDirection.BIDIRECTIONAL));
    }
  }

  @Test
  void aLimitBelowAnyMemoryIsRefusedBeforeAnythingIsTaken() {
    dma.limitTo(12);

    assertThatExceptionOfType(DmaException.class)
        .isThrownBy(() -> dma.allocate(8192, 4096))
        .withMessageContaining("up to 0xfff")
        .withMessageContaining("hugepages=64");
    assertThat(tracker.usage(0)).isEqualTo(PciDevice.Usage.NONE);
  }

  @Test
  void aClosedOneGivesNothing() {
    dma.close(true);

    assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(() -> dma.allocate(4096, 4096));
  }
}
