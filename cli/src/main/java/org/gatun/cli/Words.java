package org.gatun.cli;

import java.io.PrintWriter;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;

/**
 * What a device's bytes mean, for scripts and for people.
 *
 * @param json maps, lists, strings and numbers
 */
record Words(Object json, Consumer<PrintWriter> people) {
  /**
   * A line for each of several things.
   *
   * @param lines with the same keys in the same order, which are the headings
   */
  static Words table(List<Map<String, Object>> lines) {
    return new Words(
        lines,
        out -> {
          if (lines.isEmpty()) {
            out.println("none");
            return;
          }
          Table table =
              new Table(
                  lines.getFirst().keySet().stream().map(Words::heading).toArray(String[]::new));
          lines.forEach(line -> table.row(line.values().toArray()));
          table.print(out);
        });
  }

  /** Keys and values in order, as in a line of {@link #table}. */
  static Map<String, Object> line(Object... keysAndValues) {
    Map<String, Object> line = new LinkedHashMap<>();
    for (int i = 0; i < keysAndValues.length; i += 2) {
      line.put((String) keysAndValues[i], keysAndValues[i + 1]);
    }
    return line;
  }

  /** A line for each value. */
  static Words values(Map<String, Object> values) {
    return new Words(
        values,
        out -> {
          Table table = new Table();
          values.forEach((key, value) -> table.row(heading(key).toLowerCase(Locale.ROOT), value));
          table.print(out);
        });
  }

  /**
   * Bytes whose meaning is not known here.
   *
   * @param offset of the first one
   */
  static Words bytes(MemorySegment data, long offset) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("offset", offset);
    json.put("hex", HexFormat.of().formatHex(data.toArray(ValueLayout.JAVA_BYTE)));
    return new Words(json, out -> HexDump.print(data, offset, out));
  }

  /** {@code blockSize} becomes {@code BLOCK SIZE}. */
  private static String heading(String key) {
    return key.replaceAll("([A-Z])", " $1").toUpperCase(Locale.ROOT);
  }
}
