package org.gatun.simulated.nvme;

import java.lang.foreign.MemorySegment;
import org.gatun.simulated.DmaPort;
import org.gatun.simulated.media.DeviceMemory;

/** A structure on its way to or from the host. */
record Scratch(MemorySegment memory) implements DeviceMemory {
  @Override
  public boolean toHost(DmaPort port, long busAddress, long offset, long length) {
    return port.write(busAddress, memory, offset, length);
  }

  @Override
  public boolean fromHost(DmaPort port, long busAddress, long offset, long length) {
    return port.read(busAddress, memory, offset, length);
  }
}
