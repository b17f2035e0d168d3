package org.gatun.simulated;

/**
 * What the power management capability says (PCI Power Management Specification 1.2, 3.2). Its
 * owner serialises calls.
 */
final class PowerRegisters {
  /** Bits 9 and 10 say whether there are D1 and D2 (3.2.3). */
  private static final int CAPABILITIES = 2;

  private static final int D1_SUPPORT_SHIFT = 8;

  /** PMCSR (3.2.4). */
  private static final int CONTROL = 4;

  private static final int STATE = 3;

  private final int offset;

  /**
   * @param offset of the capability; 0 if there is none
   */
  PowerRegisters(int offset) {
    this.offset = offset;
  }

  /** 0 for D0 to 3 for D3hot. */
  int state(RegisterBytes config) {
    return offset == 0 ? 0 : config.get(offset + CONTROL, 2) & STATE;
  }

  /** After a write: a state that the function lacks is not taken (3.2.4). */
  void written(RegisterBytes config, int stateBefore) {
    int state = state(config);
    boolean optional = state == 1 || state == 2;
    if (optional && (config.get(offset + CAPABILITIES, 2) & 1 << (state + D1_SUPPORT_SHIFT)) == 0) {
      config.put(offset + CONTROL, 2, (config.get(offset + CONTROL, 2) & ~STATE) | stateBefore);
    }
  }

  /** Whether a write resets the function: from D3 to D0 without No_Soft_Reset (3.2.4). */
  boolean resets(RegisterBytes config, int stateBefore) {
    return stateBefore == STATE
        && state(config) == 0
        && (config.get(offset + CONTROL, 2) & CapabilityDescription.PM_NO_SOFT_RESET) == 0;
  }
}
