package org.gatun.simulated.trace;

import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.function.Consumer;

/** Bytes as text: hexadecimal digits, and {@code 00*4096} for a byte that is there so often. */
final class HexRuns {
  private static final HexFormat HEX = HexFormat.of();

  /** Shorter ones are written out. */
  private static final int SHORTEST_RUN = 8;

  private HexRuns() {}

  static String format(byte[] bytes) {
    StringBuilder text = new StringBuilder();
    int start = 0; // of what is to be written out
    int at = 0;
    while (at < bytes.length) {
      int end = at + 1;
      while (end < bytes.length && bytes[end] == bytes[at]) {
        end++;
      }
      if (end - at >= SHORTEST_RUN) {
        append(text, HEX.formatHex(bytes, start, at));
        append(text, HEX.toHexDigits(bytes[at]) + "*" + (end - at));
        start = end;
      }
      at = end;
    }
    append(text, HEX.formatHex(bytes, start, bytes.length));
    return text.toString();
  }

  /**
   * Reads what {@link #format} writes.
   *
   * @throws IllegalArgumentException if it is something else, or not that many bytes
   */
  static byte[] parse(String text, int length) {
    ByteBuffer bytes = ByteBuffer.allocate(length);
    read(text, length, bytes::put);
    return bytes.array();
  }

  /**
   * Looks whether {@link #parse} can read it.
   *
   * @throws IllegalArgumentException if it can't
   */
  static void check(String text, int length) {
    read(text, length, _ -> {});
  }

  private static void read(String text, int length, Consumer<byte[]> bytes) {
    int left = length;
    for (String part : text.split(" ", -1)) {
      int star = part.indexOf('*');
      byte[] digits = HEX.parseHex(star < 0 ? part : part.substring(0, star));
      int times = star < 0 ? 1 : Integer.parseInt(part.substring(star + 1));
      if (digits.length == 0 || (star >= 0 && digits.length != 1) || times < 1) {
        throw new IllegalArgumentException("'" + Access.shortened(part) + "' are no bytes");
      }
      if (digits.length * (long) times > left) {
        throw new IllegalArgumentException("there are more than " + length + " bytes");
      }
      left -= digits.length * times;
      for (int i = 0; i < times; i++) {
        bytes.accept(digits);
      }
    }
    if (left > 0) {
      throw new IllegalArgumentException(
          "there are %d bytes, not %d".formatted(length - left, length));
    }
  }

  private static void append(StringBuilder text, String part) {
    if (!part.isEmpty()) {
      text.append(text.isEmpty() ? "" : " ").append(part);
    }
  }
}
