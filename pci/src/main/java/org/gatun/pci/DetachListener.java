package org.gatun.pci;

import java.time.Duration;

/**
 * Hears that a device is about to go, or has gone. Called by a thread of the backend's: return
 * soon.
 */
public interface DetachListener {
  /**
   * The owner wants the device back: finish what is in flight and close it.
   *
   * @param deadline how long until it is taken by force
   */
  void requested(Duration deadline);

  /**
   * The device is gone, or has failed for good: each use throws {@link DeviceGoneException} or
   * returns garbage.
   *
   * @param cause for people
   */
  void gone(String cause);
}
