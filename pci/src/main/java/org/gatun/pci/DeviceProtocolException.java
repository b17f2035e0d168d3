package org.gatun.pci;

import org.jspecify.annotations.Nullable;

/** A device answered something that its specification rules out. */
public class DeviceProtocolException extends PciException {
  private static final long serialVersionUID = 1L;

  /** See {@link PciException#PciException}. */
  public DeviceProtocolException(
      @Nullable DeviceName device,
      String problem,
      @Nullable String remedy,
      @Nullable Throwable cause) {
    super(device, problem, remedy, cause);
  }
}
