package org.gatun.specs.nvme;

/**
 * Offsets of the controller registers in BAR 0 (Base 3.1.3, Controller Properties).
 *
 * <p>64-bit registers may be accessed as one 64-bit or as two 32-bit accesses, low dword first;
 * 32-bit registers and doorbells only as 32 bits.
 */
public final class NvmeRegisters {
  /** PCI class code: mass storage, non-volatile memory, NVMe I/O (NVMe over PCIe Transport). */
  public static final int CLASS_CODE = 0x010802;

  /** The BAR of the registers (MLBAR/MUBAR, NVMe over PCIe Transport). */
  public static final int BAR = 0;

  /** Controller Capabilities, 64 bits, read only: see {@link Cap} (Base 3.1.3.1). */
  public static final long CAP = 0x00;

  /** Version, 32 bits, read only: see {@link Version} (Base 3.1.3.2). */
  public static final long VS = 0x08;

  /** Interrupt Mask Set, 32 bits; not to be touched when MSI-X is in use (Base 3.1.3.3). */
  public static final long INTMS = 0x0c;

  /** Interrupt Mask Clear, 32 bits; not to be touched when MSI-X is in use (Base 3.1.3.4). */
  public static final long INTMC = 0x10;

  /** Controller Configuration, 32 bits: see {@link Cc} (Base 3.1.3.5). */
  public static final long CC = 0x14;

  /** Controller Status, 32 bits: see {@link Csts} (Base 3.1.3.6). */
  public static final long CSTS = 0x1c;

  /** NVM Subsystem Reset, 32 bits: {@link #NSSR_RESET} resets, if {@link Cap#nssrs} (3.1.3.7). */
  public static final long NSSR = 0x20;

  /** Admin Queue Attributes, 32 bits: see {@link Aqa} (Base 3.1.3.8). */
  public static final long AQA = 0x24;

  /** Admin Submission Queue Base Address, 64 bits, page aligned (Base 3.1.3.9). */
  public static final long ASQ = 0x28;

  /** Admin Completion Queue Base Address, 64 bits, page aligned (Base 3.1.3.10). */
  public static final long ACQ = 0x30;

  /** Controller Memory Buffer Location, 32 bits; 0 without one (Base 3.1.3.11). */
  public static final long CMBLOC = 0x38;

  /** Controller Memory Buffer Size, 32 bits; 0 without one (Base 3.1.3.12). */
  public static final long CMBSZ = 0x3c;

  /** Controller Ready Timeouts, 32 bits, valid if {@link Cap#crms} is not 0 (Base 3.1.3). */
  public static final long CRTO = 0x68;

  /** The first doorbell: Submission Queue 0 Tail (NVMe over PCIe Transport). */
  public static final long DOORBELLS = 0x1000;

  /** What to write to {@link #NSSR}: "NVMe" in ASCII. */
  public static final int NSSR_RESET = 0x4e564d65;

  /** The highest queue identifier that a controller may have. */
  public static final int MAX_QUEUE_ID = 0xffff;

  private NvmeRegisters() {}

  /**
   * Returns the offset of a Submission Queue's tail doorbell.
   *
   * @param queueId 0 is the admin queue
   * @param dstrd {@link Cap#dstrd}, the doorbell stride
   */
  public static long submissionTailDoorbell(int queueId, int dstrd) {
    return DOORBELLS + ((2L * queueId) << (2 + dstrd));
  }

  /**
   * Returns the offset of a Completion Queue's head doorbell.
   *
   * @param queueId 0 is the admin queue
   * @param dstrd {@link Cap#dstrd}, the doorbell stride
   */
  public static long completionHeadDoorbell(int queueId, int dstrd) {
    return DOORBELLS + ((2L * queueId + 1) << (2 + dstrd));
  }

  /**
   * Returns the bytes from the start of the BAR that hold the registers and the doorbells of queues
   * 0 to {@code queueId}.
   */
  public static long sizeWithDoorbells(int queueId, int dstrd) {
    return DOORBELLS + ((2L * queueId + 2) << (2 + dstrd));
  }
}
