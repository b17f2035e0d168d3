package org.gatun.hostile;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/** What is to come of each system call in a guest's process ({@code system-calls.txt}). */
public record SystemCalls(int number, String name, Outcome outcome) {
  /** All numbers are below this one, with room for those to come. */
  static final int END = 600;

  /** What comes of a call. */
  public enum Outcome {
    ALLOWED,
    FATAL,
    BY_ARGUMENT,
    MISSING,
    KERNEL
  }

  /** Those that are not just refused. */
  public static List<SystemCalls> notRefused() {
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(
                Objects.requireNonNull(SystemCalls.class.getResourceAsStream("system-calls.txt")),
                StandardCharsets.UTF_8))) {
      return lines
          .lines()
          .filter(line -> !line.startsWith("#"))
          .map(line -> line.split(" ", -1))
          .map(
              words ->
                  new SystemCalls(
                      Integer.parseInt(words[0]),
                      words[1],
                      Outcome.valueOf(words[2].toUpperCase(Locale.ROOT).replace('-', '_'))))
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
