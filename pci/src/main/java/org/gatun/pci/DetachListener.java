package org.gatun.pci;

import java.time.Duration;

/**
 * Hears that a device is about to go, has failed, or has gone. Called by a thread of the backend's:
 * return soon.
 */
public interface DetachListener {
  /** The steps of recovery from an error that the device reported, in their order. */
  enum RecoveryStep {
    /** An error was reported: use nothing of the device, cancel what waits for it. */
    DETECTED,
    /** Registers can be read again, to find out what happened; DMA and interrupts are still off. */
    MMIO_ENABLED,
    /** The device was reset: set it up as after opening it. */
    SLOT_RESET,
    /** All is well again: go on. */
    RESUME
  }

  /**
   * The owner wants the device back: finish what is in flight and close it.
   *
   * @param deadline how long until it is taken by force
   */
  void requested(Duration deadline);

  /**
   * The device is gone, or has failed for good: each use throws {@link DeviceGoneException} or
   * returns garbage.
   *
   * @param cause for people
   */
  void gone(String cause);

  /**
   * The device reported an error, and its owner wants to recover it: called for each step. Who does
   * not override this gives the device up.
   *
   * @return whether the driver can go on; if not, or if it takes too long, the device is taken
   */
  default boolean recover(RecoveryStep step) {
    return false;
  }
}
