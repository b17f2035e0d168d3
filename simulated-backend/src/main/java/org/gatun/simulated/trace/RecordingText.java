package org.gatun.simulated.trace;

import java.io.IOException;
import java.io.Reader;
import org.jspecify.annotations.Nullable;

/**
 * The lines of a file that others may have written: neither one of them nor all together take more
 * memory than a recording should. One thread.
 */
final class RecordingText {
  private static final int LONGEST_LINE = 16 << 10;
  private static final int MOST_LINES = 500_000;
  private static final long MOST_CHARACTERS = 64 << 20;

  private final Reader reader;
  private final char[] read = new char[8 << 10];
  private int at;
  private int end;
  private int number;
  private long characters;

  /**
   * @param reader stays the caller's
   */
  RecordingText(Reader reader) {
    this.reader = reader;
  }

  /** Of the line that was read last; the first one is 1. */
  int number() {
    return number;
  }

  /**
   * Reads a line; null after the last one.
   *
   * @throws IllegalArgumentException if that is too much
   */
  @Nullable String next() throws IOException {
    int next = read();
    if (next < 0) {
      return null;
    }
    number++;
    check(number <= MOST_LINES, "it has more than %d lines: record a shorter session", MOST_LINES);
    StringBuilder line = new StringBuilder();
    for (; next >= 0 && next != '\n'; next = read()) {
      check(line.length() < LONGEST_LINE, "it has more than %d characters", LONGEST_LINE);
      line.append((char) next);
    }
    characters += line.length();
    check(
        characters <= MOST_CHARACTERS,
        "up to here there are more than %d characters: record a shorter session, or one with fewer"
            + " data",
        MOST_CHARACTERS);
    int last = line.length() - 1;
    return last >= 0 && line.charAt(last) == '\r' ? line.substring(0, last) : line.toString();
  }

  /** The next character; -1 at the end. */
  private int read() throws IOException {
    if (at == end) {
      end = Math.max(0, reader.read(read));
      at = 0;
    }
    return end == 0 ? -1 : read[at++];
  }

  private void check(boolean holds, String problem, long limit) {
    if (!holds) {
      throw problem(problem.formatted(limit));
    }
  }

  /** Says in which line something is wrong. */
  IllegalArgumentException problem(@Nullable String problem) {
    return new IllegalArgumentException("line " + number + ": " + problem);
  }
}
