package org.gatun.specs.nvme;

/**
 * Fields of CAP, Controller Capabilities (Base 3.1.3.1): readers, and writers for a controller's
 * model.
 */
public final class Cap {
  /** {@link #css}: the NVM Command Set. */
  public static final int CSS_NVM = 0x01;

  /** {@link #css}: one or more I/O Command Sets, with Identify's CSI. */
  public static final int CSS_IO_COMMAND_SETS = 0x40;

  /** {@link #css}: no I/O Command Set, admin commands only. */
  public static final int CSS_ADMIN_ONLY = 0x80;

  /** {@link #ams}: Weighted Round Robin with Urgent Priority Class. */
  public static final int AMS_WEIGHTED_ROUND_ROBIN = 0x1;

  /** {@link #ams}: a vendor specific mechanism. */
  public static final int AMS_VENDOR_SPECIFIC = 0x2;

  private static final BitField MQES = new BitField("CAP.MQES", 0, 16);
  private static final BitField CQR = new BitField("CAP.CQR", 16, 1);
  private static final BitField AMS = new BitField("CAP.AMS", 17, 2);
  private static final BitField TO = new BitField("CAP.TO", 24, 8);
  private static final BitField DSTRD = new BitField("CAP.DSTRD", 32, 4);
  private static final BitField NSSRS = new BitField("CAP.NSSRS", 36, 1);
  private static final BitField CSS = new BitField("CAP.CSS", 37, 8);
  private static final BitField BPS = new BitField("CAP.BPS", 45, 1);
  private static final BitField MPSMIN = new BitField("CAP.MPSMIN", 48, 4);
  private static final BitField MPSMAX = new BitField("CAP.MPSMAX", 52, 4);
  private static final BitField PMRS = new BitField("CAP.PMRS", 56, 1);
  private static final BitField CMBS = new BitField("CAP.CMBS", 57, 1);
  private static final BitField NSSS = new BitField("CAP.NSSS", 58, 1);
  private static final BitField CRMS = new BitField("CAP.CRMS", 59, 2);

  private Cap() {}

  /**
   * MQES: Maximum Queue Entries Supported, 0's based, at least 1; see {@link #maxQueueEntries}
   * (bits 15:0).
   */
  public static int mqes(long cap) {
    return MQES.get(cap);
  }

  /** Returns the word with MQES as given. */
  public static long withMqes(long cap, int value) {
    return MQES.set(cap, value);
  }

  /** CQR: Contiguous Queues Required (bit 16). */
  public static boolean cqr(long cap) {
    return CQR.isSet(cap);
  }

  /** Returns the word with CQR as given. */
  public static long withCqr(long cap, boolean value) {
    return CQR.set(cap, value);
  }

  /**
   * AMS: Arbitration Mechanism Supported beyond round robin: {@link #AMS_WEIGHTED_ROUND_ROBIN},
   * {@link #AMS_VENDOR_SPECIFIC} (bits 18:17).
   */
  public static int ams(long cap) {
    return AMS.get(cap);
  }

  /** Returns the word with AMS as given. */
  public static long withAms(long cap, int value) {
    return AMS.set(cap, value);
  }

  /**
   * TO: Timeout for CSTS.RDY to follow CC.EN, in 500 ms; see {@link #timeoutMillis} (bits 31:24).
   */
  public static int to(long cap) {
    return TO.get(cap);
  }

  /** Returns the word with TO as given. */
  public static long withTo(long cap, int value) {
    return TO.set(cap, value);
  }

  /** DSTRD: Doorbell Stride: 2^(2 + value) bytes (bits 35:32). */
  public static int dstrd(long cap) {
    return DSTRD.get(cap);
  }

  /** Returns the word with DSTRD as given. */
  public static long withDstrd(long cap, int value) {
    return DSTRD.set(cap, value);
  }

  /** NSSRS: NVM Subsystem Reset Supported (bit 36). */
  public static boolean nssrs(long cap) {
    return NSSRS.isSet(cap);
  }

  /** Returns the word with NSSRS as given. */
  public static long withNssrs(long cap, boolean value) {
    return NSSRS.set(cap, value);
  }

  /**
   * CSS: Command Sets Supported: {@link #CSS_NVM}, {@link #CSS_IO_COMMAND_SETS}, {@link
   * #CSS_ADMIN_ONLY} (bits 44:37).
   */
  public static int css(long cap) {
    return CSS.get(cap);
  }

  /** Returns the word with CSS as given. */
  public static long withCss(long cap, int value) {
    return CSS.set(cap, value);
  }

  /** BPS: Boot Partition Support (bit 45). */
  public static boolean bps(long cap) {
    return BPS.isSet(cap);
  }

  /** Returns the word with BPS as given. */
  public static long withBps(long cap, boolean value) {
    return BPS.set(cap, value);
  }

  /** MPSMIN: Memory Page Size Minimum: 2^(12 + value) bytes (bits 51:48). */
  public static int mpsmin(long cap) {
    return MPSMIN.get(cap);
  }

  /** Returns the word with MPSMIN as given. */
  public static long withMpsmin(long cap, int value) {
    return MPSMIN.set(cap, value);
  }

  /** MPSMAX: Memory Page Size Maximum: 2^(12 + value) bytes (bits 55:52). */
  public static int mpsmax(long cap) {
    return MPSMAX.get(cap);
  }

  /** Returns the word with MPSMAX as given. */
  public static long withMpsmax(long cap, int value) {
    return MPSMAX.set(cap, value);
  }

  /** PMRS: Persistent Memory Region Supported (bit 56). */
  public static boolean pmrs(long cap) {
    return PMRS.isSet(cap);
  }

  /** Returns the word with PMRS as given. */
  public static long withPmrs(long cap, boolean value) {
    return PMRS.set(cap, value);
  }

  /** CMBS: Controller Memory Buffer Supported (bit 57). */
  public static boolean cmbs(long cap) {
    return CMBS.isSet(cap);
  }

  /** Returns the word with CMBS as given. */
  public static long withCmbs(long cap, boolean value) {
    return CMBS.set(cap, value);
  }

  /** NSSS: NVM Subsystem Shutdown Supported (bit 58). */
  public static boolean nsss(long cap) {
    return NSSS.isSet(cap);
  }

  /** Returns the word with NSSS as given. */
  public static long withNsss(long cap, boolean value) {
    return NSSS.set(cap, value);
  }

  /**
   * CRMS: Controller Ready Modes Supported: bit 0 with media, bit 1 independent of media (bits
   * 60:59).
   */
  public static int crms(long cap) {
    return CRMS.get(cap);
  }

  /** Returns the word with CRMS as given. */
  public static long withCrms(long cap, int value) {
    return CRMS.set(cap, value);
  }

  /**
   * Returns the most entries that an I/O queue may have: 2 to 65536. (MQES 0 is not allowed, and
   * gives 1.)
   */
  public static int maxQueueEntries(long cap) {
    return mqes(cap) + 1;
  }

  /** Returns the longest that CSTS.RDY may take to follow CC.EN, in milliseconds: 0 to 127500. */
  public static int timeoutMillis(long cap) {
    return to(cap) * 500;
  }

  /** Returns the smallest memory page size in bytes, a power of two from 4096. */
  public static int minPageSize(long cap) {
    return 1 << (12 + mpsmin(cap));
  }

  /** Returns the largest memory page size in bytes, a power of two from 4096. */
  public static int maxPageSize(long cap) {
    return 1 << (12 + mpsmax(cap));
  }
}
