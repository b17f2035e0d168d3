package org.gatun.simulated.virtio;

import java.lang.foreign.MemorySegment;
import org.gatun.specs.virtio.VirtioType;

/** What one type of device does. The lock of its device is held by whoever calls. */
public interface VirtioKind extends AutoCloseable {
  /** What it is. */
  VirtioType type();

  /** Its own feature bits. */
  long features();

  /** Its own configuration, as a driver reads it. */
  MemorySegment config();

  /** How many queues it has. */
  int queues();

  /** The device is powered up. */
  void started(VirtioDevice device);

  /**
   * A queue has something, or may have: that is to be taken, and given back when it is done. The
   * interrupt follows.
   */
  void notified(VirtioDevice device, int queue);

  /** Forgets what it has begun. */
  void reset();

  /** The device is pulled out. */
  @Override
  void close();
}
