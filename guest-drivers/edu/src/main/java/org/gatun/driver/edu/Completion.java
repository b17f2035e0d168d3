package org.gatun.driver.edu;

/** How the driver learns that the device is done. */
public enum Completion {
  /** By reading a status register again and again. */
  POLL,
  /** By the interrupt pin. */
  INTX,
  /** By a message-signalled interrupt. */
  MSI,
  /** By a message-signalled interrupt through a table. QEMU's device lacks it. */
  MSIX
}
