package org.gatun.broker.launcher;

/** What the two ends of the control socket tell each other: one byte each. */
public enum Step {
  /** Stage 2 to broker: send the assignment. */
  READY('r'),
  /** Stage 2 to broker: nothing of the guest has run, and the locks hold. */
  LOCKED('l'),
  /** Broker to stage 2: that was seen to be so. */
  GO('g'),
  /** Stage 2 to broker: the guest has its device. From here on all that comes is the guest's. */
  ATTACHED('a'),
  /** Stage 2 to broker: this JVM runs, or, with a watchdog, the guest says that it does. */
  ALIVE('.');

  private final char sign;

  Step(char sign) {
    this.sign = sign;
  }

  /** How it is sent. */
  byte sign() {
    return (byte) sign;
  }
}
