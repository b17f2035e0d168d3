package org.gatun.pci.spi;

import java.lang.foreign.MemorySegment;

/**
 * DMA memory that is reached by calls, one for each access: that of a client which shares none. Any
 * thread. What can't be reached throws a {@link org.gatun.pci.PciException}: to the device it is an
 * access that the IOMMU refused.
 */
public interface RemoteMemory {
  /** Reads from a bus address on, until the target is full. */
  void read(long busAddress, MemorySegment target);

  /** Writes the source from a bus address on. */
  void write(long busAddress, MemorySegment source);
}
