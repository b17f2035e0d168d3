package org.gatun.cli;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A number of bytes on the command line: {@code 512}, {@code 4K}, {@code 64M}, {@code 1G}, in
 * powers of 1024.
 *
 * @param bytes zero or more
 */
record ByteSize(long bytes) {
  private static final Pattern TEXT = Pattern.compile("(\\d{1,19})([KMGT]?)");
  private static final String UNITS = "KMGT";

  static ByteSize parse(String text) {
    Matcher m = TEXT.matcher(text.toUpperCase(Locale.ROOT));
    if (!m.matches()) {
      throw new IllegalArgumentException(
          "'" + text + "' is not a size: write it like 512, 4K, 64M");
    }
    try {
      long unit = 1L << (10 * (m.group(2).isEmpty() ? 0 : UNITS.indexOf(m.group(2)) + 1));
      return new ByteSize(Math.multiplyExact(Long.parseLong(m.group(1)), unit));
    } catch (ArithmeticException | NumberFormatException _) {
      throw new IllegalArgumentException("'" + text + "' is too large: sizes end at 8 EiB");
    }
  }

  /** To a tenth of the largest unit that it has one of: {@code 931.5 GiB}. */
  String rounded() {
    int unit = 0;
    double value = bytes;
    // Not 1024: what is rounded to that is one of the next unit.
    while (unit < UNITS.length() && value >= 1023.95) {
      value /= 1024;
      unit++;
    }
    String text = "%.1f".formatted(value);
    return (text.endsWith(".0") ? text.substring(0, text.length() - 2) : text)
        + (unit == 0 ? " bytes" : " " + UNITS.charAt(unit - 1) + "iB");
  }

  /** The largest unit that divides it: {@code 64M}. */
  @Override
  public String toString() {
    int unit = 0;
    long value = bytes;
    while (unit < UNITS.length() && value != 0 && value % 1024 == 0) {
      value /= 1024;
      unit++;
    }
    return value + (unit == 0 ? "" : String.valueOf(UNITS.charAt(unit - 1)));
  }
}
