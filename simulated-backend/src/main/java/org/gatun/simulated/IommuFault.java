package org.gatun.simulated;

import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaDirection;

/**
 * A DMA access that the IOMMU refused.
 *
 * @param busAddress the first byte that was refused
 * @param size in bytes, of what was refused
 * @param direction {@link DmaDirection#TO_DEVICE} for a read by the device, {@link
 *     DmaDirection#FROM_DEVICE} for a write
 */
public record IommuFault(DeviceName device, long busAddress, long size, DmaDirection direction) {
  @Override
  public String toString() {
    return "%s: DMA %s of %d bytes at bus address 0x%x"
        .formatted(
            device, direction == DmaDirection.TO_DEVICE ? "read" : "write", size, busAddress);
  }
}
