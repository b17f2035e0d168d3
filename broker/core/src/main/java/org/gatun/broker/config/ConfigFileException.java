package org.gatun.broker.config;

import java.util.List;
import java.util.stream.Collectors;

/**
 * A policy file is wrong. The message has a line for each problem, with the place and what would be
 * right.
 */
public final class ConfigFileException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  private final transient List<Problem> problems;

  /**
   * One thing that is wrong.
   *
   * @param source the file
   * @param line from 1
   * @param column from 1
   * @param field where in the structure, {@code guests[0].devices[1]}; empty for the file as a
   *     whole
   * @param text what is wrong there, and what would be right; one line
   */
  public record Problem(String source, int line, int column, String field, String text) {
    private static final int LONGEST = 300;

    /** What comes from the file is shortened, and rid of control characters. */
    public Problem {
      field = printable(field);
      text = printable(text);
    }

    private static String printable(String any) {
      String clean = any.replaceAll("\\p{Cntrl}", "?");
      return clean.length() <= LONGEST ? clean : clean.substring(0, LONGEST) + "...";
    }

    /** {@code FILE:LINE:COLUMN: FIELD: TEXT}. */
    @Override
    public String toString() {
      return "%s:%d:%d: %s%s"
          .formatted(source, line, column, field.isEmpty() ? "" : field + ": ", text);
    }
  }

  ConfigFileException(List<Problem> problems) {
    super(problems.stream().map(Problem::toString).collect(Collectors.joining("\n")));
    this.problems = List.copyOf(problems);
  }

  /** All that was found, in the order of the file. */
  public List<Problem> problems() {
    return problems;
  }
}
