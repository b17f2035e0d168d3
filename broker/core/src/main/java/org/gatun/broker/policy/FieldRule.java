package org.gatun.broker.policy;

/**
 * What a guest may do with one field of config space: a row of the policy.
 *
 * @param name as the specification has it
 * @param offset in bytes, from the start of the header or of the capability
 * @param width 1, 2 or 4 bytes; the offset is a multiple of it
 * @param readMask the bits that a guest sees; others read as zero
 * @param writeMask the bits that may reach the hardware
 * @param permissiveMask those that may in a permissive grant, besides
 */
public record FieldRule(
    String name,
    int offset,
    int width,
    int readMask,
    int writeMask,
    int permissiveMask,
    Effect effect) {

  /**
   * @throws IllegalArgumentException if the field is not aligned, or a mask is wider than it
   */
  public FieldRule {
    if ((width != 1 && width != 2 && width != 4) || offset < 0 || offset % width != 0) {
      throw new IllegalArgumentException(
          "no such field: %d bytes at offset %#x".formatted(width, offset));
    }
    if (((readMask | writeMask | permissiveMask) & ~ones(width)) != 0) {
      throw new IllegalArgumentException(name + ": a mask is wider than the field");
    }
  }

  /**
   * Whether the rule holds in a permissive grant as well. If not, the field is there to be
   * explained: a guest writes it as what no rule speaks of.
   */
  boolean isGoverned() {
    return permissiveMask == 0 || writeMask != 0;
  }

  /** A field that a guest sees as the hardware has it, and can't write. */
  static FieldRule readOnly(String name, int offset, int width) {
    return new FieldRule(name, offset, width, ones(width), 0, 0, Effect.PLAIN);
  }

  /** As {@link #readOnly}, and a permissive grant may write it. */
  static FieldRule permissive(String name, int offset, int width) {
    return permissive(name, offset, width, ones(width));
  }

  /** As {@link #readOnly}, and a permissive grant may write some bits. */
  static FieldRule permissive(String name, int offset, int width, int mask) {
    return new FieldRule(name, offset, width, ones(width), 0, mask, Effect.PLAIN);
  }

  /** A field that a guest sees and writes as it is. */
  static FieldRule writable(String name, int offset, int width) {
    return new FieldRule(name, offset, width, ones(width), ones(width), 0, Effect.PLAIN);
  }

  /** A field of which the guest sees what it was when the device was seized. */
  static FieldRule snapshot(String name, int offset, int width) {
    return new FieldRule(name, offset, width, ones(width), 0, 0, Effect.SNAPSHOT);
  }

  /** A field with a meaning. */
  static FieldRule of(String name, int offset, int width, int writeMask, Effect effect) {
    return new FieldRule(name, offset, width, ones(width), writeMask, 0, effect);
  }

  /** All bits of a field of that width. */
  static int ones(int width) {
    return width == 4 ? -1 : (1 << (8 * width)) - 1;
  }
}
