package org.gatun.benchmarks.nvme;

import java.util.Locale;

/** Text of the report. */
final class Html {
  private Html() {}

  static String escaped(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }

  /** Four digits, or as many as an integer has. */
  static String number(double value) {
    double size = Math.abs(value);
    int digits =
        size >= 1000 || value == Math.rint(value) ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3;
    return String.format(Locale.ROOT, "%,." + digits + "f", value);
  }
}
