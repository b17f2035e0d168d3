package org.gatun.specs.nvme;

/**
 * Submission Queue Entry: where its fields are, and what its first dword holds (Base 3.3.3.1; 1.4
 * figures 104 and 105).
 *
 * <p>All fields are little-endian and naturally aligned. Offsets are relative to the entry, which
 * is at {@code index * SIZE} of its queue. What dwords 10 to 15 hold is up to the command: see
 * {@link AdminCommand} and {@link NvmCommand}.
 */
public final class SubmissionEntry {
  /** Size of an entry in bytes, of Admin commands and of the NVM Command Set. */
  public static final int SIZE = 64;

  /** The size as a power of two: what {@link Cc#withIosqes} takes. */
  public static final int SIZE_LOG2 = 6;

  /** CDW0, 32 bits: opcode, FUSE, PSDT and command identifier; see {@link #dword0}. */
  public static final int DWORD0 = 0;

  /** NSID, Namespace Identifier, 32 bits; 0 where the command has none. */
  public static final int NSID = 4;

  /** CDW2, 32 bits, command specific. */
  public static final int DWORD2 = 8;

  /** CDW3, 32 bits, command specific. */
  public static final int DWORD3 = 12;

  /** MPTR, Metadata Pointer, 64 bits. */
  public static final int MPTR = 16;

  /** PRP Entry 1, 64 bits: the first of the Data Pointer, DPTR; see {@link Prp}. */
  public static final int PRP1 = 24;

  /** PRP Entry 2, 64 bits: a second page, or a PRP list, or reserved. */
  public static final int PRP2 = 32;

  /** CDW10, 32 bits, command specific. */
  public static final int DWORD10 = 40;

  /** CDW11, 32 bits, command specific. */
  public static final int DWORD11 = 44;

  /** CDW12, 32 bits, command specific. */
  public static final int DWORD12 = 48;

  /** CDW13, 32 bits, command specific. */
  public static final int DWORD13 = 52;

  /** CDW14, 32 bits, command specific. */
  public static final int DWORD14 = 56;

  /** CDW15, 32 bits, command specific. */
  public static final int DWORD15 = 60;

  /** NSID of all namespaces, the broadcast value. */
  public static final int NSID_ALL = 0xffff_ffff;

  /** The highest command identifier to use: FFFFh stands for "none" in the error log. */
  public static final int MAX_COMMAND_ID = 0xfffe;

  /** PSDT: PRPs are used; the only one for Admin commands over PCIe. */
  public static final int PSDT_PRP = 0;

  /** PSDT: SGLs are used, and MPTR is the address of a contiguous buffer. */
  public static final int PSDT_SGL_BUFFER = 1;

  /** PSDT: SGLs are used, and MPTR is the address of an SGL segment. */
  public static final int PSDT_SGL_SEGMENT = 2;

  /** FUSE: a normal operation. */
  public static final int FUSE_NORMAL = 0;

  /** FUSE: the first command of a fused operation. */
  public static final int FUSE_FIRST = 1;

  /** FUSE: the second command of a fused operation. */
  public static final int FUSE_SECOND = 2;

  private static final BitField OPC = new BitField("CDW0.OPC", 0, 8);
  private static final BitField FUSE = new BitField("CDW0.FUSE", 8, 2);
  private static final BitField PSDT = new BitField("CDW0.PSDT", 14, 2);
  private static final BitField CID = new BitField("CDW0.CID", 16, 16);

  private SubmissionEntry() {}

  /**
   * Returns dword 0 of a normal command that uses PRPs.
   *
   * @param opcode OPC, 0 to 255: see {@link AdminOpcode}, {@link NvmOpcode}
   * @param commandId CID, 0 to 65535, unique among the outstanding commands of the queue
   */
  public static int dword0(int opcode, int commandId) {
    return OPC.set(CID.set(0, commandId), opcode);
  }

  /** OPC: the opcode, 0 to 255 (bits 7:0). */
  public static int opcode(int dword0) {
    return OPC.get(dword0);
  }

  /** FUSE: Fused Operation (bits 9:8). */
  public static int fuse(int dword0) {
    return FUSE.get(dword0);
  }

  /** Returns dword 0 with FUSE as given. */
  public static int withFuse(int dword0, int value) {
    return FUSE.set(dword0, value);
  }

  /** PSDT: PRP or SGL for Data Transfer (bits 15:14). */
  public static int psdt(int dword0) {
    return PSDT.get(dword0);
  }

  /** Returns dword 0 with PSDT as given. */
  public static int withPsdt(int dword0, int value) {
    return PSDT.set(dword0, value);
  }

  /** CID: the command identifier, 0 to 65535 (bits 31:16). */
  public static int commandId(int dword0) {
    return CID.get(dword0);
  }
}
