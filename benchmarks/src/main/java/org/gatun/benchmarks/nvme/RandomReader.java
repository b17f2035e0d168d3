package org.gatun.benchmarks.nvme;

import org.HdrHistogram.Histogram;

/** Reads random blocks on a queue pair, with as many commands in flight as it has room for. */
interface RandomReader {
  /** From which all of them make the blocks to read: the same ones. */
  long SEED = 20_261;

  /**
   * Reads so many blocks.
   *
   * @throws IllegalStateException if a read fails, or returns another block
   */
  void read(long count);

  /** The same, and adds to a histogram how long each took, in ns. */
  void read(int count, Histogram latencies);
}
