package org.gatun.specs.nvme;

/**
 * Fields of CSTS, Controller Status (Base 3.1.3.6).
 *
 * <p>A controller that has gone reads all ones: look for that first ({@link #isGone}).
 */
public final class Csts {
  /** {@link #shst}: normal operation, no shutdown was asked for. */
  public static final int SHST_NORMAL_OPERATION = 0;

  /** {@link #shst}: shutdown processing is occurring. */
  public static final int SHST_OCCURRING = 1;

  /** {@link #shst}: shutdown processing is complete. */
  public static final int SHST_COMPLETE = 2;

  private static final BitField RDY = new BitField("CSTS.RDY", 0, 1);
  private static final BitField CFS = new BitField("CSTS.CFS", 1, 1);
  private static final BitField SHST = new BitField("CSTS.SHST", 2, 2);
  private static final BitField NSSRO = new BitField("CSTS.NSSRO", 4, 1);
  private static final BitField PP = new BitField("CSTS.PP", 5, 1);
  private static final BitField ST = new BitField("CSTS.ST", 6, 1);

  private Csts() {}

  /** RDY: Ready (bit 0). */
  public static boolean rdy(int csts) {
    return RDY.isSet(csts);
  }

  /** Returns the word with RDY as given. */
  public static int withRdy(int csts, boolean value) {
    return RDY.set(csts, value);
  }

  /** CFS: Controller Fatal Status (bit 1). */
  public static boolean cfs(int csts) {
    return CFS.isSet(csts);
  }

  /** Returns the word with CFS as given. */
  public static int withCfs(int csts, boolean value) {
    return CFS.set(csts, value);
  }

  /**
   * SHST: Shutdown Status: {@link #SHST_NORMAL_OPERATION}, {@link #SHST_OCCURRING}, {@link
   * #SHST_COMPLETE} (bits 3:2).
   */
  public static int shst(int csts) {
    return SHST.get(csts);
  }

  /** Returns the word with SHST as given. */
  public static int withShst(int csts, int value) {
    return SHST.set(csts, value);
  }

  /** NSSRO: NVM Subsystem Reset Occurred; write 1 to clear (bit 4). */
  public static boolean nssro(int csts) {
    return NSSRO.isSet(csts);
  }

  /** Returns the word with NSSRO as given. */
  public static int withNssro(int csts, boolean value) {
    return NSSRO.set(csts, value);
  }

  /** PP: Processing Paused (bit 5). */
  public static boolean pp(int csts) {
    return PP.isSet(csts);
  }

  /** Returns the word with PP as given. */
  public static int withPp(int csts, boolean value) {
    return PP.set(csts, value);
  }

  /** ST: Shutdown Type: 1 for an NVM Subsystem Shutdown (bit 6). */
  public static boolean st(int csts) {
    return ST.isSet(csts);
  }

  /** Returns the word with ST as given. */
  public static int withSt(int csts, boolean value) {
    return ST.set(csts, value);
  }

  /** Says whether the word is what a device reads that is no longer on the bus: all ones. */
  public static boolean isGone(int csts) {
    return csts == -1;
  }
}
