package org.gatun.cli;

/**
 * A number of 32 bits on the command line, decimal or hexadecimal: {@code 80}, {@code 0x50}.
 *
 * @param value unsigned
 */
record Dword(int value) {
  private static final int HEX = 16;

  static Dword parse(String text) {
    try {
      return new Dword(
          text.startsWith("0x")
              ? Integer.parseUnsignedInt(text, 2, text.length(), HEX)
              : Integer.parseUnsignedInt(text));
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "'" + text + "' is not a number of 32 bits: write it like 80 or 0x50", e);
    }
  }

  /**
   * It, as a number of 8 bits.
   *
   * @param what it is, for the message
   */
  int byteValue(String what) {
    if ((value & ~0xff) != 0) {
      throw new IllegalArgumentException(
          "%s is 0 to 0xff, not 0x%x; nothing was sent".formatted(what, value));
    }
    return value;
  }

  @Override
  public String toString() {
    return Integer.toUnsignedString(value);
  }
}
