package org.gatun.specs.nvme;

import java.lang.foreign.MemorySegment;

/**
 * One range of a Dataset Management command (NVM 3.2.3; 1.4 section 6.7), in a list of up to {@link
 * NvmCommand#MAX_RANGES}.
 *
 * @param attributes Context Attributes: hints; 0 is usual
 * @param blocks Length in logical blocks, not 0's based, 0 to 2^32 - 1
 * @param startingLba Starting LBA, 64 bits unsigned
 */
public record DatasetManagementRange(int attributes, long blocks, long startingLba) {
  /** Size of a range in bytes. */
  public static final int SIZE = 16;

  /** Context Attributes, 32 bits. */
  public static final int ATTRIBUTES = 0;

  /** Length in Logical Blocks, 32 bits. */
  public static final int LENGTH = 4;

  /** Starting LBA, 64 bits. */
  public static final int SLBA = 8;

  /** Checks that the length fits in 32 bits. */
  public DatasetManagementRange {
    if (blocks < 0 || blocks > 0xffff_ffffL) {
      throw new IllegalArgumentException(
          "Dataset Management range: " + blocks + " blocks is not in 0 to 2^32 - 1");
    }
  }

  /** Returns the range at an index of a list. */
  public static DatasetManagementRange read(MemorySegment list, int index) {
    MemorySegment range = list.asSlice((long) index * SIZE, SIZE);
    return new DatasetManagementRange(
        LittleEndian.getI32(range, ATTRIBUTES),
        LittleEndian.getU32(range, LENGTH),
        LittleEndian.getI64(range, SLBA));
  }

  /** Writes the range at an index of a list. */
  public void write(MemorySegment list, int index) {
    MemorySegment range = list.asSlice((long) index * SIZE, SIZE);
    LittleEndian.putI32(range, ATTRIBUTES, attributes);
    LittleEndian.putU32(range, LENGTH, blocks);
    LittleEndian.putI64(range, SLBA, startingLba);
  }
}
