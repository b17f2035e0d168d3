package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.Random;

/**
 * Random data in which each block of 4 KiB names its place, so that data at a wrong place is not
 * taken for right. Chunk by chunk, since computing all of it anew would take most of the time.
 */
final class DiskPattern {
  /** In bytes. */
  static final int CHUNK = 1 << 20;

  private static final int STAMP_INTERVAL = 4096;

  private final byte[] random = new byte[CHUNK];

  DiskPattern(long seed) {
    new Random(seed).nextBytes(random);
  }

  /** The chunk that belongs at a place. The array is the next call's, too. */
  byte[] at(long offset) {
    ByteBuffer chunk = ByteBuffer.wrap(random);
    for (int i = 0; i < CHUNK; i += STAMP_INTERVAL) {
      chunk.putLong(i, offset + i);
    }
    return random;
  }

  /** Checks a chunk. */
  void check(long offset, ByteBuffer actual) {
    int wrong = actual.mismatch(ByteBuffer.wrap(at(offset)));
    assertThat(wrong).as("first wrong byte of the chunk at %d", offset).isEqualTo(-1);
  }
}
