package org.gatun.broker;

import org.gatun.pci.DeviceName;
import org.gatun.pci.PciException;
import org.jspecify.annotations.Nullable;

/** A device is not granted. The message says why, and what to do. */
public final class GrantRefusedException extends PciException {
  private static final long serialVersionUID = 1L;

  public GrantRefusedException(
      @Nullable DeviceName device,
      String problem,
      @Nullable String remedy,
      @Nullable Throwable cause) {
    super(device, problem, remedy, cause);
  }
}
