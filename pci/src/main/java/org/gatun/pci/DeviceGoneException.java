package org.gatun.pci;

import org.jspecify.annotations.Nullable;

/**
 * The device, or the part of it that was used, is no longer there: closed, revoked or unplugged.
 * What was read shortly before may be garbage.
 */
public class DeviceGoneException extends PciException {
  private static final long serialVersionUID = 1L;

  /**
   * @param operation what was tried, with its offset
   */
  public DeviceGoneException(DeviceName device, String operation, @Nullable Throwable cause) {
    super(device, operation + ": the device is gone, or was closed", null, cause);
  }
}
