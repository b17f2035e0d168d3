package org.gatun.pci.spi;

import java.lang.foreign.MemorySegment;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaSpace;

/** For implementations of {@link DmaSpace}: the rules for memory that its callers bring. */
public final class CallersMemory {
  private CallersMemory() {}

  /**
   * Checks that memory can be mapped for DMA.
   *
   * @param pageSize of the IOMMU, in bytes
   * @throws IllegalArgumentException if it is not native memory in whole pages, or is read-only
   *     while the device may write it
   */
  public static void check(
      DeviceName device, MemorySegment memory, long pageSize, DmaDirection direction) {
    if (!memory.isNative()
        || memory.byteSize() == 0
        || memory.address() % pageSize != 0
        || memory.byteSize() % pageSize != 0) {
      throw new IllegalArgumentException(
          "%s: DMA takes native memory in whole pages of %d bytes, not %s"
              .formatted(device, pageSize, memory));
    }
    if (memory.isReadOnly() && direction != DmaDirection.TO_DEVICE) {
      throw new IllegalArgumentException(
          "%s: a device can't be let write to read-only memory: map it %s"
              .formatted(device, DmaDirection.TO_DEVICE));
    }
  }
}
