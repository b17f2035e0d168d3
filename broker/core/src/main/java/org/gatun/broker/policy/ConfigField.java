package org.gatun.broker.policy;

/**
 * A field in its place.
 *
 * @param part what it belongs to: header, a capability, or a quirk
 * @param offset in config space
 */
public record ConfigField(String part, FieldRule rule, int offset) {
  /** The first offset behind it. */
  public int end() {
    return offset + rule.width();
  }

  /** The bits that may reach the hardware. */
  public int writeMask(boolean permissive) {
    return permissive ? rule.writeMask() | rule.permissiveMask() : rule.writeMask();
  }
}
