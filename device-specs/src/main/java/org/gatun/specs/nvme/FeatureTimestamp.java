package org.gatun.specs.nvme;

import java.lang.foreign.MemorySegment;

/**
 * The data structure of the Timestamp feature, FID 0Eh (Base 5.27.1.12). Set Features takes the
 * time only.
 *
 * @param millis since 1970-01-01 00:00 UTC, 48 bits
 * @param setByHost Timestamp Origin 001b: a host has set it; else it counts from the last reset
 * @param stopped Synch: the controller may have stopped counting at times
 */
public record FeatureTimestamp(long millis, boolean setByHost, boolean stopped) {
  /** Size in bytes. */
  public static final int SIZE = 8;

  private static final int MILLIS_BITS = 48;
  private static final long MILLIS_MASK = (1L << MILLIS_BITS) - 1;

  /** Checks that the time fits. */
  public FeatureTimestamp {
    if ((millis & ~MILLIS_MASK) != 0) {
      throw new IllegalArgumentException(millis + " ms do not fit in 48 bits, unsigned");
    }
  }

  /** Returns what the structure says. */
  public static FeatureTimestamp read(MemorySegment data) {
    long word = LittleEndian.getI64(data, 0);
    int attributes = (int) (word >>> MILLIS_BITS);
    return new FeatureTimestamp(
        word & MILLIS_MASK, (attributes >>> 1 & 0x7) == 1, (attributes & 1) != 0);
  }

  /** Writes the structure. */
  public void write(MemorySegment data) {
    long attributes = (setByHost ? 1 << 1 : 0) | (stopped ? 1 : 0);
    LittleEndian.putI64(data, 0, millis | attributes << MILLIS_BITS);
  }
}
