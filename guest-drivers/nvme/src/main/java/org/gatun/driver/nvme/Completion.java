package org.gatun.driver.nvme;

/** How the driver learns that commands are complete. */
public enum Completion {
  /**
   * By looking at the completion queue all the time: the shortest latency, and a busy processor.
   */
  POLL,
  /** By an interrupt: MSI-X if the device has it, else MSI, else INTx. */
  INTERRUPT
}
