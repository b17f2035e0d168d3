package org.gatun.broker.policy;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A register of one kind of device that its driver has to write, though no rule knows it. Of a
 * write, the bits of the mask reach the hardware; the others are written as they were read, so a
 * mask must not leave out bits of a register that a written one clears.
 *
 * @param register its offset in config space
 * @param size 1, 2 or 4 bytes; the offset is a multiple of it
 * @param mask the bits that a guest may write
 */
public record Quirk(int register, int size, int mask) {
  private static final Pattern TEXT =
      Pattern.compile("(0x[0-9a-fA-F]{1,3}|[0-9]{1,4}):([124]):(0x[0-9a-fA-F]{1,8})");

  /**
   * @throws IllegalArgumentException if a part breaks its rule
   */
  public Quirk {
    FieldRule.of("quirk", register, size, mask, Effect.PLAIN);
    if (register > 0x1000 - size) {
      throw new IllegalArgumentException(
          "no such register: config space ends at 0x1000, not above " + register);
    }
  }

  /**
   * Parses {@code REGISTER:SIZE:MASK}, such as {@code 0x48:2:0x00ff}.
   *
   * @throws IllegalArgumentException if the text is no quirk
   */
  public static Quirk parse(String text) {
    Matcher matcher = TEXT.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "'%s' is no quirk: REGISTER:SIZE:MASK, such as 0x48:2:0x00ff".formatted(text));
    }
    return new Quirk(
        Integer.decode(matcher.group(1)),
        Integer.parseInt(matcher.group(2)),
        (int) Long.decode(matcher.group(3)).longValue());
  }

  FieldRule rule() {
    return FieldRule.of("quirk", register, size, mask, Effect.PLAIN);
  }

  @Override
  public String toString() {
    return "0x%x:%d:0x%x".formatted(register, size, mask);
  }
}
