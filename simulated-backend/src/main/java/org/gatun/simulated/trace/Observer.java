package org.gatun.simulated.trace;

/** Sees what a driver does to its device. Called by the threads that do it. */
interface Observer {
  /** The driver is about to reach the device, or to wait for it. */
  default void before() {}

  /** The driver has waited, and nothing came of it. */
  default void waited() {}

  /**
   * The driver reached the device, or the device did something: the parts of an {@link Access},
   * which is not made.
   */
  void saw(Access.Kind kind, int space, long address, long length, long value);
}
