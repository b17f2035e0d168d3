package org.gatun.specs.nvme;

/**
 * An LBA Format of Identify Namespace (NVM 4.1.5.1, LBA Format Data Structure).
 *
 * @param metadataSize MS: bytes of metadata for each logical block, 0 to 65535
 * @param lbads LBADS: the size of a logical block as a power of two; below 9 (0 is usual) the
 *     format is not available
 * @param relativePerformance RP: 0 best, 1 better, 2 good, 3 degraded
 */
public record LbaFormat(int metadataSize, int lbads, int relativePerformance) {
  private static final BitField MS = new BitField("LBAF.MS", 0, 16);
  private static final BitField LBADS = new BitField("LBAF.LBADS", 16, 8);
  private static final BitField RP = new BitField("LBAF.RP", 24, 2);

  /** Checks that each field fits. */
  public LbaFormat {
    word(metadataSize, lbads, relativePerformance);
  }

  /** Returns the format in a word of the structure. */
  public static LbaFormat of(int word) {
    return new LbaFormat(MS.get(word), LBADS.get(word), RP.get(word));
  }

  /** Returns the word for the structure. */
  public int word() {
    return word(metadataSize, lbads, relativePerformance);
  }

  /**
   * Returns the size of a logical block's data in bytes, 512 to 1 GiB, or 0 if the format is not
   * available, or the size is larger than that.
   */
  public int blockSize() {
    return lbads < 9 || lbads > 30 ? 0 : 1 << lbads;
  }

  private static int word(int metadataSize, int lbads, int relativePerformance) {
    return MS.set(LBADS.set(RP.set(0, relativePerformance), lbads), metadataSize);
  }
}
