package org.gatun.simulated;

import org.gatun.pci.config.ConfigSpace;

/**
 * The config space of a function as the hardware has it, whoever has opened the device and whatever
 * he lets others see: for tests, which look here at what a guest's writes did, and which make a
 * device lie. Reads and writes are those of a host with nothing in between. Any thread.
 */
public interface HardwareConfig extends ConfigSpace {
  /**
   * Which bits of a register a write can change: those that take what is written, and those that a
   * written 1 clears.
   *
   * @throws IllegalArgumentException as for {@link #read}
   */
  int writable(int offset, int width);

  /**
   * The device changes a register, read-only bits too: from now on, and after each reset. What the
   * device does is as before: a capability that is moved in the list works where it was.
   *
   * @throws IllegalArgumentException as for {@link #read}
   */
  void poke(int offset, int width, int value);

  /** The device sets each bit that a written 1 clears, until then or until a reset. */
  void raiseAll();
}
