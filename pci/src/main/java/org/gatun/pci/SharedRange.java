package org.gatun.pci;

/**
 * A direct range of a BAR that is passed on to another process: the object behind it is what that
 * process maps.
 */
public interface SharedRange extends Shareable, AutoCloseable {
  /** Where in that object the first byte of the range is. */
  long offset();

  /**
   * Ends the sharing: whoever still has the memory reaches nothing of the device by it any more.
   * Registers and state of the device are then as after a reset, and mappings of its shared ranges
   * in this process have ended to mean anything: close them before. Idempotent, from any thread.
   */
  @Override
  void close();
}
