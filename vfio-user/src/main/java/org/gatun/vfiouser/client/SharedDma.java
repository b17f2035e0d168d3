package org.gatun.vfiouser.client;

import java.lang.foreign.MemorySegment;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaSpace;
import org.jspecify.annotations.Nullable;

/** DMA memory that the server has, too. */
interface SharedDma extends DmaSpace {
  /**
   * The memory behind bus addresses, for a server that asks instead of mapping it.
   *
   * @return null if they are not all of one buffer's, or the server has no reason to ask
   */
  @Nullable MemorySegment find(long busAddress, long size);

  /**
   * Checks memory of the caller's.
   *
   * @throws IllegalArgumentException if no DMA could reach it
   */
  static void check(DeviceName device, MemorySegment memory, long pageSize) {
    if (!memory.isNative()
        || memory.byteSize() == 0
        || memory.address() % pageSize != 0
        || memory.byteSize() % pageSize != 0) {
      throw new IllegalArgumentException(
          "%s: DMA takes native memory in whole pages of %d bytes, not %s"
              .formatted(device, pageSize, memory));
    }
  }
}
