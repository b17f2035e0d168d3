package org.gatun.specs.nvme;

/** Command dwords of Admin commands (Base 5): packing for a host, reading for a controller. */
public final class AdminCommand {
  /** Size of what Identify returns, in bytes (Base 5.17.2). */
  public static final int IDENTIFY_SIZE = 4096;

  /** QPRIO of an I/O Submission Queue, used with weighted round robin only. */
  public static final int PRIORITY_URGENT = 0;

  /** QPRIO: high. */
  public static final int PRIORITY_HIGH = 1;

  /** QPRIO: medium. */
  public static final int PRIORITY_MEDIUM = 2;

  /** QPRIO: low. */
  public static final int PRIORITY_LOW = 3;

  /** SES of Format NVM: no erase is asked for. */
  public static final int SECURE_ERASE_NONE = 0;

  /** SES of Format NVM: User Data Erase. */
  public static final int SECURE_ERASE_USER_DATA = 1;

  /** SES of Format NVM: Cryptographic Erase. */
  public static final int SECURE_ERASE_CRYPTO = 2;

  /** SANACT of Sanitize: Exit Failure Mode. */
  public static final int SANITIZE_EXIT_FAILURE = 1;

  /** SANACT of Sanitize: Block Erase. */
  public static final int SANITIZE_BLOCK_ERASE = 2;

  /** SANACT of Sanitize: Overwrite. */
  public static final int SANITIZE_OVERWRITE = 3;

  /** SANACT of Sanitize: Crypto Erase. */
  public static final int SANITIZE_CRYPTO_ERASE = 4;

  /** CA of Firmware Commit: the image that was downloaded replaces that of the slot. */
  public static final int COMMIT_REPLACE = 0;

  /** CA of Firmware Commit: as {@link #COMMIT_REPLACE}, and the next reset activates it. */
  public static final int COMMIT_REPLACE_AND_ACTIVATE = 1;

  /** CA of Firmware Commit: the next reset activates what is in the slot. */
  public static final int COMMIT_ACTIVATE = 2;

  /**
   * CA of Firmware Commit: what was downloaded, if anything, replaces the image of the slot, which
   * is activated at once.
   */
  public static final int COMMIT_ACTIVATE_NOW = 3;

  private static final BitField QID = new BitField("CDW10.QID", 0, 16);
  private static final BitField QSIZE = new BitField("CDW10.QSIZE", 16, 16);
  private static final BitField PC = new BitField("CDW11.PC", 0, 1);
  private static final BitField IEN = new BitField("CDW11.IEN", 1, 1);
  private static final BitField IV = new BitField("CDW11.IV", 16, 16);
  private static final BitField QPRIO = new BitField("CDW11.QPRIO", 1, 2);
  private static final BitField CQID = new BitField("CDW11.CQID", 16, 16);
  private static final BitField ABORT_SQID = new BitField("CDW10.SQID", 0, 16);
  private static final BitField ABORT_CID = new BitField("CDW10.CID", 16, 16);
  private static final BitField CNS = new BitField("CDW10.CNS", 0, 8);
  private static final BitField CNTID = new BitField("CDW10.CNTID", 16, 16);
  private static final BitField CSI = new BitField("CDW11.CSI", 24, 8);
  private static final BitField LID = new BitField("CDW10.LID", 0, 8);
  private static final BitField LSP = new BitField("CDW10.LSP", 8, 7);
  private static final BitField RAE = new BitField("CDW10.RAE", 15, 1);
  private static final BitField NUMDL = new BitField("CDW10.NUMDL", 16, 16);
  private static final BitField NUMDU = new BitField("CDW11.NUMDU", 0, 16);
  private static final BitField LBAFL = new BitField("CDW10.LBAFL", 0, 4);
  private static final BitField MSET = new BitField("CDW10.MSET", 4, 1);
  private static final BitField PI = new BitField("CDW10.PI", 5, 3);
  private static final BitField PIL = new BitField("CDW10.PIL", 8, 1);
  private static final BitField SES = new BitField("CDW10.SES", 9, 3);
  private static final BitField LBAFU = new BitField("CDW10.LBAFU", 12, 2);
  private static final BitField FS = new BitField("CDW10.FS", 0, 3);
  private static final BitField CA = new BitField("CDW10.CA", 3, 3);
  private static final BitField SANACT = new BitField("CDW10.SANACT", 0, 3);
  private static final BitField OWPASS = new BitField("CDW10.OWPASS", 4, 4);

  private AdminCommand() {}

  // Create and Delete I/O Completion Queue and Submission Queue (Base 5.4 to 5.7).

  /**
   * Returns dword 10 of Create I/O Completion Queue and Create I/O Submission Queue.
   *
   * @param queueId QID, 1 to 65535
   * @param entries 2 to {@link Cap#maxQueueEntries}
   */
  public static int createQueueDword10(int queueId, int entries) {
    return QID.set(QSIZE.setCount(0, entries), queueId);
  }

  /** Returns dword 10 of Delete I/O Completion Queue and Delete I/O Submission Queue. */
  public static int deleteQueueDword10(int queueId) {
    return QID.set(0, queueId);
  }

  /** QID: Queue Identifier of a create or delete (dword 10, bits 15:0). */
  public static int queueId(int dword10) {
    return QID.get(dword10);
  }

  /** QSIZE: entries of a queue to create, 1 (not allowed) to 65536 (dword 10, bits 31:16 + 1). */
  public static int queueEntries(int dword10) {
    return QSIZE.get(dword10) + 1;
  }

  /** Returns dword 11 of Create I/O Completion Queue: contiguous, without interrupts. */
  public static int completionQueueDword11() {
    return PC.set(0, true);
  }

  /** Returns dword 11 of Create I/O Completion Queue: contiguous, with interrupts on a vector. */
  public static int completionQueueDword11(int interruptVector) {
    return IEN.set(IV.set(completionQueueDword11(), interruptVector), true);
  }

  /** PC: the queue is physically contiguous, and PRP1 its address (dword 11, bit 0). */
  public static boolean isContiguous(int dword11) {
    return PC.isSet(dword11);
  }

  /** IEN: interrupts are enabled for a Completion Queue (dword 11, bit 1). */
  public static boolean areInterruptsEnabled(int dword11) {
    return IEN.isSet(dword11);
  }

  /** IV: the interrupt vector of a Completion Queue (dword 11, bits 31:16). */
  public static int interruptVector(int dword11) {
    return IV.get(dword11);
  }

  /**
   * Returns dword 11 of Create I/O Submission Queue: contiguous.
   *
   * @param completionQueueId CQID: where the completions go, an existing queue
   * @param priority QPRIO: {@link #PRIORITY_URGENT} and so on
   */
  public static int submissionQueueDword11(int completionQueueId, int priority) {
    return QPRIO.set(CQID.set(PC.set(0, true), completionQueueId), priority);
  }

  /** CQID: the Completion Queue of a Submission Queue (dword 11, bits 31:16). */
  public static int completionQueueId(int dword11) {
    return CQID.get(dword11);
  }

  /** QPRIO: the priority of a Submission Queue (dword 11, bits 2:1). */
  public static int priority(int dword11) {
    return QPRIO.get(dword11);
  }

  // Abort (Base 5.1). Bit 0 of the completion's dword 0 is 0 if the command was aborted.

  /** Returns dword 10 of Abort: the queue and the identifier of the command to abort. */
  public static int abortDword10(int submissionQueueId, int commandId) {
    return ABORT_SQID.set(ABORT_CID.set(0, commandId), submissionQueueId);
  }

  /** SQID: the queue of the command to abort (dword 10, bits 15:0). */
  public static int abortQueueId(int dword10) {
    return ABORT_SQID.get(dword10);
  }

  /** CID: the command to abort (dword 10, bits 31:16). */
  public static int abortCommandId(int dword10) {
    return ABORT_CID.get(dword10);
  }

  /** Says whether Abort's completion, dword 0, tells that the command was aborted. */
  public static boolean wasAborted(int completionDword0) {
    return (completionDword0 & 1) == 0;
  }

  // Identify (Base 5.17.1).

  /** Returns dword 10 of Identify for a structure: see {@link Cns}. */
  public static int identifyDword10(int cns) {
    return CNS.set(0, cns);
  }

  /** CNS: what to identify (dword 10, bits 7:0). */
  public static int cns(int dword10) {
    return CNS.get(dword10);
  }

  /** CNTID: Controller Identifier, for some structures (dword 10, bits 31:16). */
  public static int controllerId(int dword10) {
    return CNTID.get(dword10);
  }

  /** CSI: Command Set Identifier, 0 is the NVM Command Set (dword 11, bits 31:24). */
  public static int commandSet(int dword11) {
    return CSI.get(dword11);
  }

  // Get Log Page (Base 5.16). The offset in bytes, 64 bits, is in dwords 12 and 13.

  /**
   * Returns dword 10 of Get Log Page.
   *
   * @param logPage LID: see {@link LogPage}
   * @param retainEvent RAE: leave the asynchronous event that this page clears
   * @param size bytes to return: a positive multiple of 4, at most 16 GiB
   */
  public static int logPageDword10(int logPage, boolean retainEvent, long size) {
    return LID.set(RAE.set(NUMDL.set(0, (int) (dwords(size) & 0xffff)), retainEvent), logPage);
  }

  /** Returns dword 11 of Get Log Page for the same size as in dword 10. */
  public static int logPageDword11(long size) {
    return NUMDU.set(0, (int) (dwords(size) >>> 16));
  }

  /** LID: the log page (dword 10, bits 7:0). */
  public static int logPage(int dword10) {
    return LID.get(dword10);
  }

  /** LSP: Log Specific Parameter (dword 10, bits 14:8). */
  public static int logSpecific(int dword10) {
    return LSP.get(dword10);
  }

  /** RAE: Retain Asynchronous Event (dword 10, bit 15). */
  public static boolean isEventRetained(int dword10) {
    return RAE.isSet(dword10);
  }

  /** NUMD: bytes to return, 4 to 16 GiB (dword 11, bits 15:0, and dword 10, bits 31:16, + 1). */
  public static long logPageSize(int dword10, int dword11) {
    return 4 * ((((long) NUMDU.get(dword11) << 16) | NUMDL.get(dword10)) + 1);
  }

  // Format NVM (Base 5.14; 1.4 section 5.23).

  /**
   * Returns dword 10 of Format NVM that leaves a namespace the format, the metadata and the
   * protection information that it has, and erases it.
   *
   * @param secureErase SES: {@link #SECURE_ERASE_USER_DATA} and so on
   */
  public static int formatDword10(IdentifyNamespace namespace, int secureErase) {
    int dword10 = formatDword10(namespace.formatIndex(), secureErase);
    dword10 = MSET.set(dword10, (namespace.flbas() & IdentifyNamespace.FLBAS_EXTENDED_LBA) != 0);
    // DPS has the type in bits 2:0, and its place in bit 3, as the command has them.
    dword10 = PI.set(dword10, namespace.dps() & 0x7);
    return PIL.set(dword10, (namespace.dps() & 0x8) != 0);
  }

  /**
   * Returns dword 10 of Format NVM without metadata and protection information.
   *
   * @param format LBAF: an index in the namespace's list of formats, 0 to 63
   * @param secureErase SES: {@link #SECURE_ERASE_USER_DATA} and so on
   */
  public static int formatDword10(int format, int secureErase) {
    return SES.set(LBAFL.set(LBAFU.set(0, format >>> 4), format & 0xf), secureErase);
  }

  /** LBAF of Format NVM, 0 to 63 (dword 10, bits 13:12 and 3:0). */
  public static int formatIndex(int dword10) {
    return LBAFU.get(dword10) << 4 | LBAFL.get(dword10);
  }

  /** PI of Format NVM: the type of protection information, 0 is none (dword 10, bits 7:5). */
  public static int protectionInformation(int dword10) {
    return PI.get(dword10);
  }

  /** SES of Format NVM (dword 10, bits 11:9). */
  public static int secureErase(int dword10) {
    return SES.get(dword10);
  }

  // Firmware Image Download and Firmware Commit (Base 5.13 and 5.12; 1.4 sections 5.12 and 5.11).

  /**
   * Returns dword 10 of Firmware Image Download.
   *
   * @param size bytes of this part of the image: a positive multiple of 4, at most 16 GiB
   */
  public static int downloadDword10(long size) {
    return (int) dwords(size);
  }

  /**
   * Returns dword 11 of Firmware Image Download.
   *
   * @param offset where the part is in the image, in bytes: a multiple of 4, below 16 GiB
   */
  public static int downloadDword11(long offset) {
    if (offset < 0 || offset >= 4L << 32 || (offset & 3) != 0) {
      throw new IllegalArgumentException(
          "Firmware Image Download: " + offset + " bytes is not a multiple of 4 below 16 GiB");
    }
    return (int) (offset / 4);
  }

  /** NUMD of Firmware Image Download: bytes of the part, 4 to 16 GiB (dword 10 + 1, in dwords). */
  public static long downloadSize(int dword10) {
    return 4 * (Integer.toUnsignedLong(dword10) + 1);
  }

  /** OFST of Firmware Image Download: where the part is, in bytes (dword 11, in dwords). */
  public static long downloadOffset(int dword11) {
    return 4 * Integer.toUnsignedLong(dword11);
  }

  /**
   * Returns dword 10 of Firmware Commit.
   *
   * @param slot FS: 1 to 7, or 0 for the controller to choose
   * @param action CA: {@link #COMMIT_REPLACE} and so on
   */
  public static int commitDword10(int slot, int action) {
    return FS.set(CA.set(0, action), slot);
  }

  /** FS of Firmware Commit, 0 to 7 (dword 10, bits 2:0). */
  public static int firmwareSlot(int dword10) {
    return FS.get(dword10);
  }

  /** CA of Firmware Commit, 0 to 7 (dword 10, bits 5:3). */
  public static int commitAction(int dword10) {
    return CA.get(dword10);
  }

  // Sanitize (Base 5.24; 1.4 section 5.24). The pattern of an overwrite is in dword 11.

  /**
   * Returns dword 10 of Sanitize: with restricted exit from a failure, and one pass of an
   * overwrite.
   *
   * @param action SANACT: {@link #SANITIZE_BLOCK_ERASE} and so on
   */
  public static int sanitizeDword10(int action) {
    return OWPASS.set(SANACT.set(0, action), action == SANITIZE_OVERWRITE ? 1 : 0);
  }

  /** SANACT of Sanitize (dword 10, bits 2:0). */
  public static int sanitizeAction(int dword10) {
    return SANACT.get(dword10);
  }

  private static long dwords(long size) {
    if (size < 4 || size > 4L << 32 || (size & 3) != 0) {
      throw new IllegalArgumentException(size + " bytes is not a multiple of 4 in 4 to 16 GiB");
    }
    return size / 4 - 1;
  }
}
