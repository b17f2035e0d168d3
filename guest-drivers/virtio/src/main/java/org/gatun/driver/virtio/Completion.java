package org.gatun.driver.virtio;

/** How a driver learns that the device is done. */
public enum Completion {
  /** By looking at memory again and again. The device does not use its interrupt pin then. */
  POLL,
  /** By the interrupt pin. */
  INTX,
  /** By a message-signalled interrupt, one for each queue. */
  MSIX
}
