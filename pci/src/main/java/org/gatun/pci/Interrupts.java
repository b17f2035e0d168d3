package org.gatun.pci;

import java.util.List;

/** The interrupts of a device. One kind at a time. Any thread; calls are serialised. */
public interface Interrupts {
  /** The three ways in which a PCI device interrupts. */
  enum Kind {
    /**
     * A level on a wire. When it fires, the vector is masked; a driver serves the cause and then
     * unmasks it, upon which it fires again if the level is still there.
     */
    INTX,
    /** Message signalled, up to 32 vectors. */
    MSI,
    /** Message signalled through a table, up to 2048 vectors. */
    MSIX
  }

  /** How many vectors the device has of a kind; 0 if it lacks it. */
  int count(Kind kind);

  /**
   * Enables vectors, unmasked, and gives them in the order of their numbers.
   *
   * @param count 1 to {@link #count}; exact, never fewer
   * @throws IllegalArgumentException if the device has not that many of the kind
   * @throws IllegalStateException if a kind is enabled already
   * @throws DeviceGoneException if the device is closed
   */
  List<Vector> enable(Kind kind, int count);

  /**
   * Disables what is enabled; who waits on a vector gets a {@link DeviceGoneException}. Idempotent.
   */
  void disable();
}
