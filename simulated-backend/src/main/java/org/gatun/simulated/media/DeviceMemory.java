package org.gatun.simulated.media;

import org.gatun.simulated.DmaPort;

/** What a command's data pointer moves data from or to, on the controller's side. */
public interface DeviceMemory {
  /** Moves data to the host; false if DMA was refused. The range is inside. */
  boolean toHost(DmaPort port, long busAddress, long offset, long length);

  /** Moves data from the host; false if DMA was refused. The range is inside. */
  boolean fromHost(DmaPort port, long busAddress, long offset, long length);
}
