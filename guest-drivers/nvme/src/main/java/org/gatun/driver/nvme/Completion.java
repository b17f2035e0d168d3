package org.gatun.driver.nvme;

/** How the driver learns that commands are complete. */
public enum Completion {
  /**
   * By looking at the completion queue all the time: the shortest latency, and a busy processor.
   */
  POLL,
  /** By an interrupt: MSI-X if the device has it, else MSI, else INTx. */
  INTERRUPT,
  /**
   * By looking for as long as completions follow each other closely, and by an interrupt after some
   * 50 microseconds without any: a short latency under load, and an idle processor without. The
   * controller interrupts all the same, which costs it and the kernel their time.
   */
  ADAPTIVE
}
