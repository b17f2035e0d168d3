package org.gatun.simulated.media;

import java.lang.foreign.MemorySegment;

/** Where the blocks of a namespace are. Several queues at a time; ranges are inside. */
public interface Media extends DeviceMemory, AutoCloseable {
  /** In bytes. */
  long size();

  /** Copies from a range to memory of the device's own. */
  void read(long offset, MemorySegment target, long targetOffset, long length);

  /** Makes a range read as zeros. */
  void zero(long offset, long length);

  /**
   * Makes all that was written durable.
   *
   * @throws java.io.UncheckedIOException if that fails
   */
  void flush();

  @Override
  void close();
}
