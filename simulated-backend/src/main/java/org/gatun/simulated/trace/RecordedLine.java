package org.gatun.simulated.trace;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gatun.simulated.trace.Access.Kind;
import org.jspecify.annotations.Nullable;

/**
 * An access in a recording.
 *
 * @param data of memory that was written, as {@link HexRuns}: so they take no more room than in
 *     their file; null of all others
 * @param times how often a register was read, one time after the other, and was the same; else 1
 */
record RecordedLine(Access access, @Nullable String data, int times) {
  /** More go into a line of their own. */
  static final int MOST_TIMES = 999_999_999;

  private static final Pattern READS = Pattern.compile("(read.+) \\*([1-9]\\d{0,8})");

  RecordedLine {
    boolean hasData = hasData(access);
    if (hasData != (data != null)) {
      throw new IllegalArgumentException(access + (hasData ? " needs data" : " has no data"));
    }
  }

  /** An access that was made once, and has no data. */
  static RecordedLine of(Access access) {
    return new RecordedLine(access, null, 1);
  }

  /** Memory that was written. */
  static RecordedLine of(Access access, byte[] data) {
    return new RecordedLine(access, HexRuns.format(data), 1);
  }

  /**
   * Reads what {@link #toString} writes.
   *
   * @throws IllegalArgumentException if it is nothing of that kind
   */
  static RecordedLine parse(String text) {
    int data = text.startsWith("d") ? text.indexOf(" = ") : -1;
    if (data >= 0) {
      return written(Access.parse(text.substring(0, data)), text.substring(data + " = ".length()));
    }
    Matcher reads = READS.matcher(text);
    return reads.matches()
        ? new RecordedLine(Access.parse(reads.group(1)), null, Integer.parseInt(reads.group(2)))
        : of(Access.parse(text));
  }

  private static RecordedLine written(Access access, String data) {
    if (access.length() < 1 || access.length() > Recording.LONGEST) {
      throw new IllegalArgumentException(
          "a line has 1 to %d bytes, not %d".formatted(Recording.LONGEST, access.length()));
    }
    RecordedLine line = new RecordedLine(access, data, 1);
    HexRuns.check(data, (int) access.length());
    return line;
  }

  private static boolean hasData(Access access) {
    return access.kind() == Kind.DEVICE_WRITE || access.kind() == Kind.DRIVER_WRITE;
  }

  /** Whether a read can be counted here, since it is the same once more. */
  boolean isAgain(Access read) {
    return read.kind() == Kind.READ && read.equals(access) && times < MOST_TIMES;
  }

  /** With one read more. */
  RecordedLine again() {
    return new RecordedLine(access, data, times + 1);
  }

  /** The data of memory that was written. */
  byte[] written() {
    if (data == null) {
      throw new IllegalStateException(access + " has no data");
    }
    return HexRuns.parse(data, (int) access.length());
  }

  @Override
  public String toString() {
    if (data != null) {
      return access + " = " + data;
    }
    return times == 1 ? access.toString() : access + " *" + times;
  }
}
