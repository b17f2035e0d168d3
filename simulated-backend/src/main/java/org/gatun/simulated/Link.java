package org.gatun.simulated;

/** The link between a device and the bus. Any thread, with whatever locks of a model's. */
public interface Link {
  /** Whether nothing passes. */
  boolean isDown();

  /**
   * Nothing passes any more: the host reads all ones from config space and registers, and what it
   * writes is lost; DMA is not done, and interrupts do not arrive. Memory that a driver has mapped
   * stays as it is.
   */
  void down();

  /**
   * The link is trained again, which takes 10 ms and then resets the function: on a thread of the
   * bus, or, in virtual time, on the thread that lets time pass. Nothing if it is not down, or the
   * device was pulled out.
   */
  void up();

  /**
   * The device is pulled out: the link is down at once, and soon the driver hears that the device
   * is gone.
   */
  void pullOut();
}
