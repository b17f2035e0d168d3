package org.gatun.pci.spi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.gatun.pci.Shareable;

/** Memory, zeroed at first, that can be mapped several times, also by another process. */
public interface SharedMemory extends Shareable, AutoCloseable {
  /**
   * Maps a part of it.
   *
   * @param offset in bytes, a multiple of 4
   * @param length in bytes
   * @param lifetime ends the mapping
   */
  MemorySegment map(long offset, long length, Arena lifetime);

  /** Nobody maps it any more; what is mapped stays. */
  @Override
  void close();
}
