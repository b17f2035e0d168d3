package org.gatun.specs.nvme;

/**
 * Completion Queue Entry: where its dwords are, and what they hold (Base 3.3.3.2; 1.4 section 4.6).
 *
 * <p>The controller writes dword 3, with the phase, last. A host reads dword 3 with acquire, and
 * the others only once its phase is the expected one; a controller writes dwords 0 to 2, then dword
 * 3 with release.
 */
public final class CompletionEntry {
  /** Size of an entry in bytes, of Admin commands and of the NVM Command Set. */
  public static final int SIZE = 16;

  /** The size as a power of two: what {@link Cc#withIocqes} takes. */
  public static final int SIZE_LOG2 = 4;

  /** Dword 0, 32 bits, command specific: the result. */
  public static final int DWORD0 = 0;

  /** Dword 1, 32 bits, command specific. */
  public static final int DWORD1 = 4;

  /** Dword 2, 32 bits: Submission Queue head pointer and identifier; see {@link #dword2}. */
  public static final int DWORD2 = 8;

  /** Dword 3, 32 bits: command identifier, phase and status; see {@link #dword3}. */
  public static final int DWORD3 = 12;

  private static final BitField SQHD = new BitField("CQE.SQHD", 0, 16);
  private static final BitField SQID = new BitField("CQE.SQID", 16, 16);
  private static final BitField CID = new BitField("CQE.CID", 0, 16);
  private static final BitField P = new BitField("CQE.P", 16, 1);
  private static final BitField STATUS = new BitField("CQE.STATUS", 17, 15);

  private CompletionEntry() {}

  /**
   * Returns dword 2.
   *
   * @param submissionQueueHead SQHD: entries before this index are free again, 0 to 65535
   * @param submissionQueueId SQID: the queue of the command, 0 to 65535
   */
  public static int dword2(int submissionQueueHead, int submissionQueueId) {
    return SQHD.set(SQID.set(0, submissionQueueId), submissionQueueHead);
  }

  /**
   * Returns dword 3.
   *
   * @param commandId CID, 0 to 65535
   * @param phase P: inverted at each pass through the queue, 1 at the first
   * @param status 15 bits: {@link NvmeStatus#status}, or-ed with {@link NvmeStatus#DO_NOT_RETRY}
   *     and {@link NvmeStatus#MORE}
   */
  public static int dword3(int commandId, boolean phase, int status) {
    return CID.set(P.set(STATUS.set(0, status), phase), commandId);
  }

  /** SQHD: Submission Queue Head Pointer, 0 to 65535; the host checks its range (bits 15:0). */
  public static int submissionQueueHead(int dword2) {
    return SQHD.get(dword2);
  }

  /** SQID: Submission Queue Identifier, 0 to 65535 (bits 31:16). */
  public static int submissionQueueId(int dword2) {
    return SQID.get(dword2);
  }

  /** CID: Command Identifier, 0 to 65535; the host checks that it is outstanding (bits 15:0). */
  public static int commandId(int dword3) {
    return CID.get(dword3);
  }

  /** P: Phase Tag (bit 16). */
  public static boolean phase(int dword3) {
    return P.isSet(dword3);
  }

  /** The status, 15 bits, without the phase: 0 is success; see {@link NvmeStatus} (bits 31:17). */
  public static int status(int dword3) {
    return STATUS.get(dword3);
  }
}
