package org.gatun.pci;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import org.gatun.pci.spi.RemoteDma;

/**
 * The memory that a device can reach, by bus addresses (IOVAs). The IOMMU, real or simulated, holds
 * the device to it: an access elsewhere is a fault and reaches nothing. Devices of one IOMMU group
 * share one. Any thread; not for the data path, a call may take a system call.
 */
public interface DmaSpace {
  /**
   * Memory for DMA: zeroed, reachable by the device in both directions at contiguous bus addresses,
   * and, where there is one, by the process at the other end of the wire.
   *
   * @param size in bytes, greater than 0; rounded up to the IOMMU's pages
   * @param alignment of the bus address in bytes, a power of two; at least the IOMMU's page anyway
   * @throws IllegalArgumentException if size or alignment break their rules
   * @throws DmaException if there is no memory, no bus address, or no quota left: the message says
   *     which, with used and limit
   * @throws DeviceGoneException if the device is closed
   */
  DmaBuffer allocate(long size, long alignment);

  /**
   * Makes memory of the caller's reachable, at a bus address that the space chooses. It must stay
   * alive until the buffer is closed.
   *
   * @param memory native, page-aligned, whole pages; read-only only if the device does not write it
   * @throws IllegalArgumentException if the memory breaks its rules
   * @throws DmaException also if this backend can't reach memory that it has not allocated itself
   */
  DmaBuffer map(MemorySegment memory, DmaDirection direction);

  /**
   * As {@link #map}, at a bus address that the caller chooses: for exporters, whose client has an
   * address space of its own.
   *
   * @throws DmaException also if the address is not usable, or something else is mapped there
   */
  DmaBuffer mapAt(long busAddress, MemorySegment memory, DmaDirection direction);

  /** Which bus addresses can be mapped, ascending; the limit of {@link #limitTo} not counted. */
  List<BusRange> usableRanges();

  /**
   * Tells how many address bits the device drives: from now on buffers lie wholly below 2<sup>
   * bits</sup>. edu masks addresses to 28 bits; most devices drive 64, the default. A driver says
   * so before it allocates.
   *
   * @param bits 12 to 64
   */
  void limitTo(int bits);

  /**
   * For exporters: how a device that is software reaches memory by calls. Empty for hardware, which
   * reaches memory only; a device that has it accesses all of its DMA memory from this process.
   */
  default Optional<RemoteDma> remote() {
    return Optional.empty();
  }
}
