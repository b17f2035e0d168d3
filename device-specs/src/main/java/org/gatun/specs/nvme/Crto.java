package org.gatun.specs.nvme;

/** Fields of CRTO, Controller Ready Timeouts (Base 3.1.3); valid if {@link Cap#crms} is not 0. */
public final class Crto {
  private static final BitField CRWMT = new BitField("CRTO.CRWMT", 0, 16);
  private static final BitField CRIMT = new BitField("CRTO.CRIMT", 16, 16);

  private Crto() {}

  /** Returns the word for two time-outs in 500 ms, each 0 to 65535. */
  public static int of(int withMedia, int independentOfMedia) {
    return CRWMT.set(CRIMT.set(0, independentOfMedia), withMedia);
  }

  /** CRWMT: Controller Ready With Media Timeout in milliseconds (bits 15:0, in 500 ms). */
  public static int withMediaMillis(int crto) {
    return CRWMT.get(crto) * 500;
  }

  /** CRIMT: Controller Ready Independent of Media Timeout in milliseconds (bits 31:16). */
  public static int independentOfMediaMillis(int crto) {
    return CRIMT.get(crto) * 500;
  }
}
