package org.gatun.simulated.trace;

import org.gatun.pci.DeviceName;
import org.gatun.pci.PciException;

/**
 * A driver does not do to a {@link ReplayedDevice} what was done to the device that was recorded.
 * The message has the number of the line in the recording, what it expects, and what the driver
 * did.
 */
public final class ReplayMismatchException extends PciException {
  private static final long serialVersionUID = 1L;

  ReplayMismatchException(DeviceName device, String problem) {
    super(
        device,
        problem,
        "if the driver is right, record the session anew; docs/tracing.md says what may differ",
        null);
  }
}
