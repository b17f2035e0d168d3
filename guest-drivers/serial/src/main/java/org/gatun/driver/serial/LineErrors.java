package org.gatun.driver.serial;

/**
 * What went wrong on a line since the port was opened, in characters.
 *
 * @param overruns times at which something was lost, as it was not read in time
 * @param parity characters with a wrong parity bit; they were delivered
 * @param framing characters without a stop bit; they were delivered
 * @param breaks times at which the line was held; they were not delivered
 */
public record LineErrors(long overruns, long parity, long framing, long breaks) {
  /** None. */
  public static final LineErrors NONE = new LineErrors(0, 0, 0, 0);
}
