package org.gatun.simulated;

/**
 * What a physical function's capability says of its virtual ones (PCI Express Base Specification
 * 5.0, 9.3.3). Its owner serialises calls.
 */
final class SingleRootRegisters {
  static final int CONTROL = 8;
  static final int COUNT = 0x10;

  private static final int ENABLE = 1;
  private static final int MEMORY = 1 << 3;

  private final int offset;
  private final int total;

  /**
   * @param offset of the capability
   * @param total how many there can be
   */
  SingleRootRegisters(int offset, int total) {
    this.offset = offset;
    this.total = total;
  }

  /** Whether they are there. */
  boolean isEnabled(RegisterBytes config) {
    return (config.get(offset + CONTROL, 2) & ENABLE) != 0;
  }

  /** Whether they answer at their BARs. */
  boolean hasMemory(RegisterBytes config) {
    return isEnabled(config) && (config.get(offset + CONTROL, 2) & MEMORY) != 0;
  }

  /** NumVFs. */
  int count(RegisterBytes config) {
    return config.get(offset + COUNT, 2);
  }

  /** How many are asked for: none if it is more than there can be. */
  int wanted(RegisterBytes config) {
    return isEnabled(config) && count(config) <= total ? count(config) : 0;
  }

  /** After a write: what a change of NumVFs means while they are there is not defined (9.3.3.7). */
  void written(RegisterBytes config, boolean enabledBefore, int countBefore) {
    if (enabledBefore) {
      config.put(offset + COUNT, 2, countBefore);
    }
  }
}
