package org.gatun.simulated;

import java.lang.foreign.MemorySegment;

/**
 * The way of a device to the host's memory: each access goes through the IOMMU, and only while bus
 * master is on. What is refused is not done, and is recorded by the IOMMU.
 *
 * <p>A port is used by one thread at a time, as a lock of the model's says: an engine of the
 * device, say a queue, has one. An access takes no lock and allocates nothing. It must not be
 * followed by a use of the same port inside of it.
 */
public interface DmaPort {
  /**
   * Reads the host's memory.
   *
   * @param busAddress of the first byte, any value
   * @param target the device's memory
   * @param length in bytes, 0 or more
   * @return whether all of it was read; else the rest of the target is as it was
   */
  boolean read(long busAddress, MemorySegment target, long targetOffset, long length);

  /**
   * Writes the host's memory. A write of 4 bytes to where the messages of interrupts go,
   * 0xfee00000, is such a message.
   *
   * @param busAddress of the first byte, any value
   * @param source the device's memory
   * @param length in bytes, 0 or more
   * @return whether all of it was written
   */
  boolean write(long busAddress, MemorySegment source, long sourceOffset, long length);

  /**
   * Reads 64 bits in one access, with acquire.
   *
   * @param busAddress a multiple of 8
   * @return 0 if it was refused
   */
  default long readLong(long busAddress) {
    return readLong(busAddress, 0);
  }

  /**
   * As {@link #readLong(long)}, for those who have to tell what was refused.
   *
   * @param ifRefused what to return then: a value that nobody means
   */
  long readLong(long busAddress, long ifRefused);

  /**
   * Writes 64 bits in one access, with release.
   *
   * @param busAddress a multiple of 8
   * @return whether it was written
   */
  boolean writeLong(long busAddress, long value);

  /**
   * Writes twice 64 bits, one next to the other, as {@link #writeLong} does one after the other:
   * who sees the second sees the first.
   *
   * @param busAddress a multiple of 8
   * @return whether both were written
   */
  default boolean writeLongs(long busAddress, long first, long second) {
    return writeLong(busAddress, first) && writeLong(busAddress + Long.BYTES, second);
  }
}
