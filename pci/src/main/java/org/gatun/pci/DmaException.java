package org.gatun.pci;

import org.jspecify.annotations.Nullable;

/** Memory can't be made reachable for a device: a limit, a conflict, or no bus address left. */
public class DmaException extends PciException {
  private static final long serialVersionUID = 1L;

  /** See {@link PciException#PciException}. */
  public DmaException(
      @Nullable DeviceName device,
      String problem,
      @Nullable String remedy,
      @Nullable Throwable cause) {
    super(device, problem, remedy, cause);
  }
}
