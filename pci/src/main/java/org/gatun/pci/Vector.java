package org.gatun.pci;

import java.time.Duration;

/**
 * One interrupt vector. Interrupts that arrive before they are consumed coalesce into one. Any
 * thread; each interrupt wakes one waiter. After {@link Interrupts#disable}, a reset or close of
 * the device each use throws {@link DeviceGoneException}.
 */
public interface Vector {
  /** Its number: 0 to count - 1. */
  int index();

  /**
   * Waits for an interrupt, and consumes it.
   *
   * @param limit zero or more; the time is that of the device's bus, which may be virtual
   * @return false if none arrived in time, or if the thread was interrupted (its flag stays set)
   * @throws IllegalStateException if the vector is connected to an event
   */
  boolean await(Duration limit);

  /**
   * Consumes an interrupt if one is pending. Does not block.
   *
   * @throws IllegalStateException if the vector is connected to an event
   */
  boolean poll();

  /**
   * From now on interrupts signal that event, with no thread of ours between; an interrupt that is
   * pending signals it at once.
   *
   * @throws IllegalArgumentException if the backend can't signal such an event
   */
  void connect(Event event);

  /**
   * Masks or unmasks. What arrives while masked is delivered when unmasked, for the kinds and
   * devices that can mask; others ignore it (MSI without per-vector masking).
   */
  void mask(boolean on);
}
