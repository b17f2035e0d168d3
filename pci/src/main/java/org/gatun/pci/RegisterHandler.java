package org.gatun.pci;

/**
 * Serves the accesses to a trapped range. Handlers compose: policy, tracing and faults wrap another
 * handler, once, when a range is mapped.
 *
 * <p>Called by the thread that makes the access, by several at a time. {@link Mmio} has checked
 * that the width is 1, 2, 4 or 8, that the offset is a multiple of it, and that the access is in
 * range.
 */
public interface RegisterHandler {
  /**
   * One bus read.
   *
   * @param offset in bytes, from the start of the mapped range
   * @param width in bytes
   * @return the value in the low bits; what is above them is ignored
   * @throws DeviceGoneException if the device is no longer there
   */
  long read(long offset, int width);

  /**
   * One bus write.
   *
   * @param offset in bytes, from the start of the mapped range
   * @param width in bytes
   * @param value in the low bits; what is above them is to be ignored
   * @throws DeviceGoneException if the device is no longer there
   */
  void write(long offset, int width, long value);
}
