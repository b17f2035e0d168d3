package org.gatun.specs.nvme;

/**
 * Command dwords of the NVM Command Set's Read, Write, Write Zeroes, Compare, Verify and Dataset
 * Management (NVM 3.2; 1.4 section 6).
 */
public final class NvmCommand {
  /** SLBA, Starting LBA, 64 bits, in dwords 10 and 11 of the entry: aligned to 8. */
  public static final int SLBA = SubmissionEntry.DWORD10;

  /** The most logical blocks of one command: NLB is 16 bits, 0's based. */
  public static final int MAX_BLOCKS = 0x1_0000;

  /** The most ranges of one Dataset Management command. */
  public static final int MAX_RANGES = 256;

  /** Dword 12, LR, Limited Retry: fewer attempts to recover from errors. */
  public static final int LIMITED_RETRY = 1 << 31;

  /** Dword 12, FUA, Force Unit Access: from or to the media, not only the cache. */
  public static final int FORCE_UNIT_ACCESS = 1 << 30;

  /** Dword 12, PRINFO.PRACT: the controller inserts or strips protection information. */
  public static final int PROTECTION_ACTION = 1 << 29;

  /** Dword 12, PRINFO.PRCHK: check the guard. */
  public static final int CHECK_GUARD = 1 << 28;

  /** Dword 12, PRINFO.PRCHK: check the application tag. */
  public static final int CHECK_APPLICATION_TAG = 1 << 27;

  /** Dword 12, PRINFO.PRCHK: check the reference tag. */
  public static final int CHECK_REFERENCE_TAG = 1 << 26;

  /** Dword 12 of Write Zeroes, DEAC: deallocate the blocks, if {@link IdentifyNamespace#DLFEAT}. */
  public static final int DEALLOCATE_ZEROES = 1 << 25;

  /** Dword 11 of Dataset Management, IDR: Integral Dataset for Read. */
  public static final int INTEGRAL_READ = 1;

  /** Dword 11 of Dataset Management, IDW: Integral Dataset for Write. */
  public static final int INTEGRAL_WRITE = 1 << 1;

  /** Dword 11 of Dataset Management, AD: Deallocate. */
  public static final int DEALLOCATE = 1 << 2;

  private static final BitField NLB = new BitField("CDW12.NLB", 0, 16);
  private static final BitField NR = new BitField("CDW10.NR", 0, 8);

  private NvmCommand() {}

  /**
   * Returns dword 12 of Read, Write, Write Zeroes, Compare and Verify.
   *
   * @param blocks logical blocks, 1 to {@link #MAX_BLOCKS}
   * @param flags 0, or {@link #FORCE_UNIT_ACCESS} and so on, or-ed
   */
  public static int dword12(int blocks, int flags) {
    return NLB.setCount(flags, blocks);
  }

  /** NLB: logical blocks, 1 to 65536 (dword 12, bits 15:0 + 1). */
  public static int blocks(int dword12) {
    return NLB.get(dword12) + 1;
  }

  /** Returns dword 10 of Dataset Management for 1 to {@link #MAX_RANGES} ranges. */
  public static int rangesDword10(int ranges) {
    return NR.setCount(0, ranges);
  }

  /** NR: ranges of Dataset Management, 1 to 256 (dword 10, bits 7:0 + 1). */
  public static int ranges(int dword10) {
    return NR.get(dword10) + 1;
  }
}
