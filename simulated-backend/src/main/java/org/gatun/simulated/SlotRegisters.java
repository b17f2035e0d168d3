package org.gatun.simulated;

/**
 * Link and slot of a port that is the upper end of a link, in its PCI Express capability (PCI
 * Express Base Specification 5.0, 7.5.3.7 to 7.5.3.11). Its owner serialises calls.
 */
final class SlotRegisters {
  static final int LINK_CONTROL = 0x10;
  static final int LINK_STATUS = 0x12;
  static final int CONTROL = 0x18;
  static final int STATUS = 0x1a;

  private static final int LINK_DISABLE = 1 << 4;
  private static final int LINK_ACTIVE = 1 << 13;

  private static final int INTERRUPT = 1 << 5;
  private static final int POWER_OFF = 1 << 10;
  private static final int LINK_CHANGED_ENABLE = 1 << 12;

  /** In Slot Status, and what enables it in Slot Control. */
  private static final int PRESENCE_CHANGED = 1 << 3;

  private static final int PRESENT = 1 << 6;
  private static final int LINK_CHANGED = 1 << 8;

  private final int offset;

  /**
   * @param offset of the capability
   */
  SlotRegisters(int offset) {
    this.offset = offset;
  }

  /** Whether software keeps the link down: it is disabled, or the slot has no power. */
  boolean isKeptDown(RegisterBytes config) {
    return (config.get(offset + LINK_CONTROL, 2) & LINK_DISABLE) != 0
        || (config.get(offset + CONTROL, 2) & POWER_OFF) != 0;
  }

  boolean isPresent(RegisterBytes config) {
    return (config.get(offset + STATUS, 2) & PRESENT) != 0;
  }

  /** Shows that something came, or went. */
  void present(RegisterBytes config, boolean present) {
    int status = config.get(offset + STATUS, 2) & ~PRESENT;
    config.put(offset + STATUS, 2, present ? status | PRESENT : status);
  }

  void presenceChanged(RegisterBytes config) {
    config.add(offset + STATUS, 2, PRESENCE_CHANGED);
  }

  /**
   * Shows whether the link is up: if there is something at its other end, and nothing keeps it
   * down.
   */
  void showLink(RegisterBytes config, boolean down) {
    int status = config.get(offset + LINK_STATUS, 2);
    int now = isPresent(config) && !down ? status | LINK_ACTIVE : status & ~LINK_ACTIVE;
    if (now != status) {
      config.put(offset + LINK_STATUS, 2, now);
      config.add(offset + STATUS, 2, LINK_CHANGED);
    }
  }

  /** Whether the port is to interrupt (6.7.3.4). */
  boolean hasEvent(RegisterBytes config) {
    int control = config.get(offset + CONTROL, 2);
    int status = config.get(offset + STATUS, 2);
    boolean presence = (status & control & PRESENCE_CHANGED) != 0;
    boolean link = (status & LINK_CHANGED) != 0 && (control & LINK_CHANGED_ENABLE) != 0;
    return (control & INTERRUPT) != 0 && (presence || link);
  }
}
