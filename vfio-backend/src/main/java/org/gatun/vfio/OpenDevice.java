package org.gatun.vfio;

import java.time.Duration;
import org.gatun.pci.PciDevice;

/** A device that is open in this process, and has to be closed before it ends. */
sealed interface OpenDevice extends PciDevice permits VfioDevice, UnprotectedDevice {
  /**
   * Asks those who listen for the device.
   *
   * @param deadline after which it is taken
   * @return whether anybody listens
   */
  boolean requestBack(Duration deadline);
}
