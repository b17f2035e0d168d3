package org.gatun.cli;

import java.util.Locale;
import java.util.Random;

/** Which block a load accesses next, and how. */
enum NvmeWorkload {
  READ(false, false),
  WRITE(true, false),
  RANDREAD(false, true),
  RANDWRITE(true, true);

  private final boolean writes;
  private final boolean random;

  NvmeWorkload(boolean writes, boolean random) {
    this.writes = writes;
    this.random = random;
  }

  /** As it is typed. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }

  boolean writes() {
    return writes;
  }

  /**
   * The offsets of one queue's accesses, in units of the load's block size; allocates nothing.
   *
   * @param units how many units there are
   * @param start where a sequence starts
   */
  Offsets offsets(long units, long start) {
    if (random) {
      Random seeded = new Random(start);
      return () -> Math.floorMod(seeded.nextLong(), units);
    }
    return new Offsets() {
      private long next = start;

      @Override
      public long next() {
        long offset = next;
        next = next + 1 == units ? 0 : next + 1;
        return offset;
      }
    };
  }

  /** A source of offsets. */
  @FunctionalInterface
  interface Offsets {
    long next();
  }
}
