package org.gatun.simulated.fault;

/** Where something can go wrong, and what identifies it there: the key that a fault matches. */
public enum Point {
  /**
   * A command of a queue; the key is that of {@link Fault#command}, and for NVMe's admin queue also
   * {@link Fault#ADMIN}. A virtio device knows no opcodes.
   */
  COMMAND,
  /** A read of a trapped register; the key is that of {@link Fault#register}. */
  REGISTER_READ,
  /** A write of a trapped register; the key is that of {@link Fault#register}. */
  REGISTER_WRITE,
  /** A message of the device's; the key is the vector. Or its pin, as it is asserted: 0. */
  INTERRUPT,
  /** A read of the host's memory; the key is the first bus address. */
  DMA_READ,
  /** A write of the host's memory; the key is the first bus address. */
  DMA_WRITE,
  /** A reset of the function; the key is 0. */
  RESET
}
