package org.gatun.driver.serial;

/** How the driver learns that something was received. */
public enum Completion {
  /** By looking, once in the time that a character takes. */
  POLL,
  /** By the interrupt pin. */
  INTX
}
