package org.gatun.simulated;

/**
 * A device that was plugged in. Called by the threads that access its registers, several at a time,
 * and by the bus: it synchronises itself. It may hold its own locks when it calls its {@link
 * ModelContext}, except for {@link ModelContext#signalEvents}.
 *
 * <p>What the host says is hostile until checked: any offset, any value, any bus address.
 */
public interface RunningModel extends AutoCloseable {
  /**
   * Reads from a trapped range.
   *
   * @param bar its index
   * @param offset in bytes from the start of the BAR, a multiple of the width
   * @param width 1, 2, 4 or 8 bytes
   * @return the value in the low bits
   */
  long read(int bar, long offset, int width);

  /**
   * Writes to a trapped range.
   *
   * @param bar its index
   * @param offset in bytes from the start of the BAR, a multiple of the width
   * @param width 1, 2, 4 or 8 bytes
   * @param value in the low bits; what is above them is to be ignored
   */
  void write(int bar, long offset, int width, long value);

  /** Registers as after power-up. When it returns, nothing of what was in progress goes on. */
  void reset();

  /** Powers down: as a reset, and gives back what the device holds. Called once. */
  @Override
  void close();
}
