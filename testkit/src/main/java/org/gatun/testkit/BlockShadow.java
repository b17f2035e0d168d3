package org.gatun.testkit;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Collections;
import java.util.stream.LongStream;

/**
 * What each block of a disk may hold, by what was done to it, and whether what is read is that. Not
 * thread-safe.
 *
 * <p>Each write has a number. A block of it begins with where it is, that number and the run's
 * seed, and the rest of it follows from these three: so each byte that is read is compared, and a
 * block that is of two writes, of another place or of an earlier run is none of those that it may
 * be. {@link #ZEROS} is the number of a block of zeros.
 *
 * <p>After a write that failed a block has what it had before or what was written, each block for
 * itself; whichever is read first, it has from then on.
 */
public final class BlockShadow {
  /** What a blank disk has, and what zeroes leave behind. */
  public static final long ZEROS = 0;

  private static final int LBA = 0;
  private static final int NUMBER = 1;
  private static final int SEED = 2;
  private static final int HEADER = 3;

  /** An odd number: its multiples differ in all of their words. */
  private static final long STEP = 0x9e37_79b9_7f4a_7c15L;

  private final int blockSize;
  private final long seed;

  /** By block: the numbers of what it may hold. Arrays are shared, and never changed. */
  private final long[][] possible;

  /** A block as it is to be. */
  private final long[] words;

  private final MemorySegment expected;
  private long writes;

  /**
   * Of a blank disk.
   *
   * @param blockSize in bytes
   */
  public BlockShadow(int blocks, int blockSize, long seed) {
    this.blockSize = blockSize;
    this.seed = seed;
    this.possible = Collections.nCopies(blocks, new long[] {ZEROS}).toArray(long[][]::new);
    this.words = new long[blockSize / Long.BYTES];
    this.expected = MemorySegment.ofArray(words);
  }

  /** How many blocks the disk has. */
  public int blocks() {
    return possible.length;
  }

  /** The size of a block in bytes. */
  public int blockSize() {
    return blockSize;
  }

  /** The number of a new write. */
  public long newWrite() {
    return ++writes;
  }

  /** Fills memory with the blocks of a write. */
  public void fill(MemorySegment memory, int lba, int count, long number) {
    for (int i = 0; i < count; i++) {
      render(lba + i, number);
      MemorySegment.copy(expected, 0, memory, (long) i * blockSize, blockSize);
    }
  }

  /**
   * Blocks were written, or may have been.
   *
   * @param done whether that is certain
   */
  public void wrote(int lba, int count, long number, boolean done) {
    long[] only = {number};
    for (int i = lba; i < lba + count; i++) {
      possible[i] = done ? only : with(possible[i], number);
    }
  }

  private static long[] with(long[] numbers, long number) {
    return LongStream.concat(LongStream.of(number), Arrays.stream(numbers)).distinct().toArray();
  }

  /** How many of these blocks may hold one of several things. */
  public int uncertain(int lba, int count) {
    int uncertain = 0;
    for (int i = lba; i < lba + count; i++) {
      uncertain += possible[i].length > 1 ? 1 : 0;
    }
    return uncertain;
  }

  /**
   * Checks each byte of blocks that were read, and remembers which of the possible ones they are.
   *
   * @return the number of the first one
   */
  public long check(MemorySegment memory, int lba, int count) {
    for (int i = 0; i < count; i++) {
      checkBlock(memory, (long) i * blockSize, lba + i);
    }
    return possible[lba][0];
  }

  private void checkBlock(MemorySegment memory, long start, int lba) {
    long[] allowed = possible[lba];
    for (long number : allowed) {
      render(lba, number);
      if (MemorySegment.mismatch(memory, start, start + blockSize, expected, 0, blockSize) < 0) {
        if (allowed.length > 1) {
          possible[lba] = new long[] {number};
        }
        return;
      }
    }
    throw new AssertionError(
        "block %d, which may be of %s of seed %d: %s"
            .formatted(lba, Arrays.toString(allowed), seed, describe(memory, start)));
  }

  /** What a wrong block is. */
  private String describe(MemorySegment memory, long start) {
    MemorySegment found = MemorySegment.ofArray(new long[words.length]);
    MemorySegment.copy(memory, start, found, 0, blockSize);
    long[] header = found.toArray(ValueLayout.JAVA_LONG);
    render(header[LBA], header[NUMBER]);
    long mismatch = found.mismatch(expected);
    return "it begins as block %d of write %d of seed %d, %s"
        .formatted(
            header[LBA],
            header[NUMBER],
            header[SEED],
            mismatch < 0
                ? "and is that"
                : "and is not that from its byte %d on".formatted(mismatch));
  }

  private void render(long lba, long number) {
    if (number == ZEROS) {
      Arrays.fill(words, 0);
      return;
    }
    words[LBA] = lba;
    words[NUMBER] = number;
    words[SEED] = seed;
    long base = mixed(seed ^ mixed(lba ^ mixed(number)));
    for (int i = HEADER; i < words.length; i++) {
      words[i] = base ^ i * STEP;
    }
  }

  /** SplitMix64's finalizer: each bit of the result depends on each of the value. */
  private static long mixed(long value) {
    long a = (value ^ value >>> 30) * 0xbf58_476d_1ce4_e5b9L;
    long b = (a ^ a >>> 27) * 0x94d0_49bb_1331_11ebL;
    return b ^ b >>> 31;
  }
}
