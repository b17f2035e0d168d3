package org.gatun.pci;

import org.jspecify.annotations.Nullable;

/**
 * Something about a device went wrong. The message is one line: the device, what was tried and with
 * which value, and what to do.
 */
public class PciException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final transient @Nullable DeviceName device;

  /**
   * @param device the device, or null where none is known
   * @param problem the operation, the value, and what was wrong
   * @param remedy what to do, or null where nothing helps
   * @param cause null if there is none
   */
  public PciException(
      @Nullable DeviceName device,
      String problem,
      @Nullable String remedy,
      @Nullable Throwable cause) {
    super(
        (device == null ? "" : device + ": ") + problem + (remedy == null ? "" : "; " + remedy),
        cause);
    this.device = device;
  }

  /** The device, or null where none is known. */
  public final @Nullable DeviceName device() {
    return device;
  }
}
