package org.gatun.cli;

import java.io.PrintWriter;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HexFormat;

/** Bytes for people, 16 a line, as {@code hexdump -C} prints them. */
final class HexDump {
  private static final int LINE = 16;
  private static final HexFormat HEX = HexFormat.ofDelimiter(" ");

  private HexDump() {}

  /**
   * Prints them. Lines like the one before are left out; an asterisk says so.
   *
   * @param offset of the first one
   */
  static void print(MemorySegment data, long offset, PrintWriter out) {
    byte[] bytes = data.toArray(ValueLayout.JAVA_BYTE);
    boolean skipping = false;
    for (int at = 0; at < bytes.length; at += LINE) {
      int end = Math.min(at + LINE, bytes.length);
      boolean same =
          at > 0
              && end < bytes.length
              && Arrays.equals(bytes, at, end, bytes, at - LINE, end - LINE);
      if (!same) {
        String text = HEX.formatHex(bytes, at, end);
        out.printf("%08x  %-47s  |%s|%n", offset + at, text, ascii(bytes, at, end));
      } else if (!skipping) {
        out.println("*");
      }
      skipping = same;
    }
  }

  private static String ascii(byte[] bytes, int from, int to) {
    StringBuilder text = new StringBuilder();
    for (int i = from; i < to; i++) {
      text.append(bytes[i] >= ' ' && bytes[i] < 0x7f ? (char) bytes[i] : '.');
    }
    return text.toString();
  }
}
