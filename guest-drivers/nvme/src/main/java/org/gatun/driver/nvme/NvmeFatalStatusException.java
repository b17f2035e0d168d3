package org.gatun.driver.nvme;

import org.gatun.pci.DeviceName;
import org.gatun.pci.PciException;

/**
 * A controller reports that it can't go on (CSTS.CFS, Base 9.5): it completes no command any more,
 * until it is reset.
 */
public final class NvmeFatalStatusException extends PciException {
  private static final long serialVersionUID = 1L;

  /**
   * @param during what was tried
   */
  NvmeFatalStatusException(DeviceName device, String during, int csts) {
    super(
        device,
        "%s: the controller reports a fatal error (CSTS %#x)".formatted(during, csts),
        "reset the device, or turn it off and on",
        null);
  }
}
