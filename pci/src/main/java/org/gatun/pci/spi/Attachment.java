package org.gatun.pci.spi;

import java.time.Duration;

/** A guest at work on a device. */
public interface Attachment {
  /**
   * Lets go of the device: finish what is in flight, shut the device down, end threads.
   *
   * @param deadline how long until the device is taken by force
   */
  void detach(Duration deadline);
}
