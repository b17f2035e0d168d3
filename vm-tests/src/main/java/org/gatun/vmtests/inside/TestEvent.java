package org.gatun.vmtests.inside;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * What happened in the run inside: one line each, so that a machine that crashes still shows what
 * ran. A line is fields separated by tabs; in a field, tab, line feed and backslash are escaped.
 */
public sealed interface TestEvent {
  /** The id of the test or container within the run. */
  String id();

  /** A test or container that is going to run. It comes before all others of the same id. */
  record Planned(String id, String parent, boolean test, String displayName) implements TestEvent {}

  record Started(String id) implements TestEvent {}

  record Skipped(String id, String reason) implements TestEvent {}

  /**
   * A test or container that ran to its end.
   *
   * @param trace the exception as a stack trace, or empty
   */
  record Finished(String id, Status status, String trace) implements TestEvent {}

  /** The whole run ended. */
  record AllEnded(String id) implements TestEvent {}

  /** How a test ended. */
  enum Status {
    PASSED,
    ABORTED,
    FAILED
  }

  /** Without line feed at its end. */
  default String toLine() {
    List<String> fields =
        switch (this) {
          case Planned p ->
              List.of("planned", p.id, p.parent, p.test ? "test" : "container", p.displayName);
          case Started s -> List.of("started", s.id);
          case Skipped s -> List.of("skipped", s.id, s.reason);
          case Finished f -> List.of("finished", f.id, f.status.name(), f.trace);
          case AllEnded e -> List.of("ended", e.id);
        };
    return String.join("\t", fields.stream().map(TestEvent::escape).toList());
  }

  /**
   * The event of a line, or empty if it is none: the last line of a machine that crashed can be
   * half a line.
   */
  static Optional<TestEvent> parse(String line) {
    List<String> f = new ArrayList<>();
    for (String field : line.split("\t", -1)) {
      f.add(unescape(field));
    }
    return Optional.ofNullable(
        switch (f.getFirst() + f.size()) {
          case "planned5" -> new Planned(f.get(1), f.get(2), f.get(3).equals("test"), f.get(4));
          case "started2" -> new Started(f.get(1));
          case "skipped3" -> new Skipped(f.get(1), f.get(2));
          case "finished4" ->
              Arrays.stream(Status.values())
                  .filter(status -> status.name().equals(f.get(2)))
                  .findFirst()
                  .map(status -> new Finished(f.get(1), status, f.get(3)))
                  .orElse(null);
          case "ended2" -> new AllEnded(f.get(1));
          default -> null;
        });
  }

  private static String escape(String field) {
    return field.replace("\\", "\\\\").replace("\t", "\\t").replace("\r", "").replace("\n", "\\n");
  }

  private static String unescape(String field) {
    StringBuilder plain = new StringBuilder();
    for (int i = 0; i < field.length(); i++) {
      char c = field.charAt(i);
      if (c == '\\' && i + 1 < field.length()) {
        char escaped = field.charAt(++i);
        c = escaped == 't' ? '\t' : escaped == 'n' ? '\n' : escaped;
      }
      plain.append(c);
    }
    return plain.toString();
  }
}
