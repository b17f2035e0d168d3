package org.gatun.pci;

import org.jspecify.annotations.Nullable;

/** A device can't be opened: it is not there, not bound, busy, or not permitted. */
public class DeviceUnavailableException extends PciException {
  private static final long serialVersionUID = 1L;

  /** See {@link PciException#PciException}. */
  public DeviceUnavailableException(
      @Nullable DeviceName device,
      String problem,
      @Nullable String remedy,
      @Nullable Throwable cause) {
    super(device, problem, remedy, cause);
  }
}
