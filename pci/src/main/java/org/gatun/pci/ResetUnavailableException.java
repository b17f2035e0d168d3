package org.gatun.pci;

import org.jspecify.annotations.Nullable;

/** A device has no reset that can be used. */
public class ResetUnavailableException extends PciException {
  private static final long serialVersionUID = 1L;

  /** See {@link PciException#PciException}. */
  public ResetUnavailableException(
      @Nullable DeviceName device,
      String problem,
      @Nullable String remedy,
      @Nullable Throwable cause) {
    super(device, problem, remedy, cause);
  }
}
