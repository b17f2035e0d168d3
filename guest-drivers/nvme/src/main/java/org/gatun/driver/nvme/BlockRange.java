package org.gatun.driver.nvme;

import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.specs.nvme.Prp;

/**
 * Logical blocks of a namespace, checked.
 *
 * @param first the address of the first
 * @param blocks how many: 0 or more
 */
record BlockRange(long first, long blocks) {
  /**
   * @param offset in bytes, any value
   * @param length in bytes, any value
   * @throws IllegalArgumentException if they are not whole blocks inside of the namespace
   */
  static BlockRange of(DeviceName device, NvmeNamespace namespace, long offset, long length) {
    long blockMask = namespace.blockSize() - 1L;
    String problem = null;
    if (offset < 0 || length < 0) {
      problem = "is negative";
    } else if ((offset & blockMask) != 0 || (length & blockMask) != 0) {
      problem = "is not a multiple of the block";
    } else if (!isInside(namespace, offset, length)) {
      problem = "goes past the end";
    }
    if (problem != null) {
      throw new IllegalArgumentException(
          "%s: offset %d, length %d %s: namespace %s has blocks of %d bytes, and %d bytes in all"
              .formatted(
                  device,
                  offset,
                  length,
                  problem,
                  Integer.toUnsignedString(namespace.id()),
                  namespace.blockSize(),
                  namespace.sizeBytes()));
    }
    return new BlockRange(offset >>> namespace.blockShift(), length >>> namespace.blockShift());
  }

  /** Whether bytes end inside of a namespace. */
  static boolean isInside(NvmeNamespace namespace, long offset, long length) {
    return offset <= namespace.sizeBytes() && length <= namespace.sizeBytes() - offset;
  }

  /**
   * @throws IllegalArgumentException if the blocks do not fit into a buffer from an offset on, or
   *     that breaks the rules
   */
  void checkBuffer(DeviceName device, NvmeNamespace namespace, DmaBuffer buffer, long offset) {
    long length = blocks << namespace.blockShift();
    if (offset < 0
        || offset > buffer.size() - length
        || (offset & (Prp.OFFSET_ALIGNMENT - 1)) != 0) {
      throw new IllegalArgumentException(
          "%s: offset %d, which must be a multiple of 4, and %d bytes are not inside the %s"
              .formatted(device, offset, length, buffer));
    }
  }
}
