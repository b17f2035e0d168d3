package org.gatun.specs.nvme;

/** Fields of CC, Controller Configuration (Base 3.1.3.5). */
public final class Cc {
  /** {@link #css}: the NVM Command Set. */
  public static final int CSS_NVM = 0;

  /** {@link #css}: all I/O Command Sets that the controller supports. */
  public static final int CSS_ALL_SUPPORTED = 6;

  /** {@link #css}: admin commands only. */
  public static final int CSS_ADMIN_ONLY = 7;

  /** {@link #shn}: no notification. */
  public static final int SHN_NONE = 0;

  /** {@link #shn}: normal shutdown: {@link Csts#shst} tells when it is complete. */
  public static final int SHN_NORMAL = 1;

  /** {@link #shn}: abrupt shutdown: power goes away soon. */
  public static final int SHN_ABRUPT = 2;

  private static final BitField EN = new BitField("CC.EN", 0, 1);
  private static final BitField CSS = new BitField("CC.CSS", 4, 3);
  private static final BitField MPS = new BitField("CC.MPS", 7, 4);
  private static final BitField AMS = new BitField("CC.AMS", 11, 3);
  private static final BitField SHN = new BitField("CC.SHN", 14, 2);
  private static final BitField IOSQES = new BitField("CC.IOSQES", 16, 4);
  private static final BitField IOCQES = new BitField("CC.IOCQES", 20, 4);
  private static final BitField CRIME = new BitField("CC.CRIME", 24, 1);

  private Cc() {}

  /** EN: Enable (bit 0). */
  public static boolean en(int cc) {
    return EN.isSet(cc);
  }

  /** Returns the word with EN as given. */
  public static int withEn(int cc, boolean value) {
    return EN.set(cc, value);
  }

  /**
   * CSS: I/O Command Set Selected: {@link #CSS_NVM}, {@link #CSS_ALL_SUPPORTED}, {@link
   * #CSS_ADMIN_ONLY}; changed only while disabled (bits 6:4).
   */
  public static int css(int cc) {
    return CSS.get(cc);
  }

  /** Returns the word with CSS as given. */
  public static int withCss(int cc, int value) {
    return CSS.set(cc, value);
  }

  /** MPS: Memory Page Size: 2^(12 + value) bytes; changed only while disabled (bits 10:7). */
  public static int mps(int cc) {
    return MPS.get(cc);
  }

  /** Returns the word with MPS as given. */
  public static int withMps(int cc, int value) {
    return MPS.set(cc, value);
  }

  /**
   * AMS: Arbitration Mechanism Selected: 0 round robin, 1 weighted, 7 vendor specific; changed only
   * while disabled (bits 13:11).
   */
  public static int ams(int cc) {
    return AMS.get(cc);
  }

  /** Returns the word with AMS as given. */
  public static int withAms(int cc, int value) {
    return AMS.set(cc, value);
  }

  /**
   * SHN: Shutdown Notification: {@link #SHN_NONE}, {@link #SHN_NORMAL}, {@link #SHN_ABRUPT} (bits
   * 15:14).
   */
  public static int shn(int cc) {
    return SHN.get(cc);
  }

  /** Returns the word with SHN as given. */
  public static int withShn(int cc, int value) {
    return SHN.set(cc, value);
  }

  /** IOSQES: I/O Submission Queue Entry Size: 2^value bytes (bits 19:16). */
  public static int iosqes(int cc) {
    return IOSQES.get(cc);
  }

  /** Returns the word with IOSQES as given. */
  public static int withIosqes(int cc, int value) {
    return IOSQES.set(cc, value);
  }

  /** IOCQES: I/O Completion Queue Entry Size: 2^value bytes (bits 23:20). */
  public static int iocqes(int cc) {
    return IOCQES.get(cc);
  }

  /** Returns the word with IOCQES as given. */
  public static int withIocqes(int cc, int value) {
    return IOCQES.set(cc, value);
  }

  /** CRIME: Controller Ready Independent of Media Enable (bit 24). */
  public static boolean crime(int cc) {
    return CRIME.isSet(cc);
  }

  /** Returns the word with CRIME as given. */
  public static int withCrime(int cc, boolean value) {
    return CRIME.set(cc, value);
  }

  /** Returns the memory page size in bytes, a power of two from 4096. */
  public static int pageSize(int cc) {
    return 1 << (12 + mps(cc));
  }
}
