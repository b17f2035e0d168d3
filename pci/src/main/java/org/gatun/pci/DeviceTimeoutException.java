package org.gatun.pci;

import org.jspecify.annotations.Nullable;

/** A device did not do in time what its specification says it does. */
public class DeviceTimeoutException extends PciException {
  private static final long serialVersionUID = 1L;

  /** See {@link PciException#PciException}. */
  public DeviceTimeoutException(
      @Nullable DeviceName device,
      String problem,
      @Nullable String remedy,
      @Nullable Throwable cause) {
    super(device, problem, remedy, cause);
  }
}
