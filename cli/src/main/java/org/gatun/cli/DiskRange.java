package org.gatun.cli;

import java.util.stream.LongStream;
import org.gatun.driver.nvme.NvmeNamespace;
import org.jspecify.annotations.Nullable;

/**
 * A part of a namespace that a command reads or writes.
 *
 * @param offset in bytes
 * @param length in bytes
 */
record DiskRange(long offset, long length) {
  /**
   * What is moved at a time: large enough to keep a disk busy, small enough to be locked memory. No
   * more than a huge page: without an IOMMU a buffer is inside one.
   */
  static final int CHUNK = 2 << 20;

  /**
   * Checks it against the namespace, before anything is sent.
   *
   * @param length null for all up to the end
   * @throws IllegalArgumentException if it does not fit
   */
  static DiskRange of(NvmeNamespace namespace, ByteSize offset, @Nullable ByteSize length) {
    long size = namespace.sizeBytes();
    int block = namespace.blockSize();
    if (offset.bytes() > size) {
      throw new IllegalArgumentException(
          "offset %d is past the end: namespace %d has %d bytes"
              .formatted(offset.bytes(), namespace.id(), size));
    }
    long bytes = length == null ? size - offset.bytes() : length.bytes();
    if (bytes > size - offset.bytes()) {
      throw new IllegalArgumentException(
          "offset %d and length %d reach past the end: namespace %d has %d bytes"
              .formatted(offset.bytes(), bytes, namespace.id(), size));
    }
    if (offset.bytes() % block != 0 || bytes % block != 0) {
      throw new IllegalArgumentException(
          "offset %d and length %d must both be multiples of the block, %d bytes"
              .formatted(offset.bytes(), bytes, block));
    }
    return new DiskRange(offset.bytes(), bytes);
  }

  /** It, in parts of at most {@link #CHUNK} bytes. */
  Iterable<DiskRange> chunks() {
    return () ->
        LongStream.range(0, Math.ceilDiv(length, CHUNK))
            .mapToObj(i -> new DiskRange(offset + i * CHUNK, Math.min(CHUNK, length - i * CHUNK)))
            .iterator();
  }
}
