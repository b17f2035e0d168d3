package org.gatun.pci;

/**
 * A device can't be opened any more, since the JVM is shutting down, and what it has open is being
 * closed. Nothing is wrong with the device.
 */
public class ShutdownException extends DeviceUnavailableException {
  private static final long serialVersionUID = 1L;

  /** For that device. */
  public ShutdownException(DeviceName device) {
    super(device, "it can't be opened: the JVM is shutting down", null, null);
  }
}
