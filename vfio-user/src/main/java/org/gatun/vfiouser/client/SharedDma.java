package org.gatun.vfiouser.client;

import java.lang.foreign.MemorySegment;
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
}
