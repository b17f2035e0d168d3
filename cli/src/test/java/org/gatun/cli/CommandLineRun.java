package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What a run of the command gave.
 *
 * @param out standard output
 * @param err standard error
 */
record CommandLineRun(int status, String out, String err) {
  private static final Pattern PROGRESS =
      Pattern.compile("(read|write|copy|verify): \\d+% of \\d+ MiB");

  /** Runs a line of words, and further words that may have blanks. */
  static CommandLineRun line(String line, Object... words) {
    return of(
        Stream.concat(Stream.of(line.strip().split(" +")), Stream.of(words).map(Object::toString))
            .toArray(String[]::new));
  }

  static CommandLineRun of(String... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int status = Gatun.run(new PrintWriter(out), new PrintWriter(err), args);
    return new CommandLineRun(status, out.toString(), err.toString());
  }

  CommandLineRun expectSuccess() {
    assertThat(err).doesNotContain("gatun:");
    assertThat(status).isEqualTo(ExitCode.OK);
    return this;
  }

  /**
   * One line that says what is wrong and what to do, nothing on standard output, no stack trace.
   */
  void expectFailure(int expectedStatus, String... mentions) {
    assertThat(err.lines().filter(line -> !PROGRESS.matcher(line).matches()))
        .singleElement()
        .asString()
        .startsWith("gatun: ")
        .contains(mentions);
    assertThat(out).isEmpty();
    assertThat(status).isEqualTo(expectedStatus);
  }

  JsonNode json() {
    try {
      return new ObjectMapper().readTree(out);
    } catch (JsonProcessingException e) {
      throw new AssertionError("no JSON: " + out, e);
    }
  }
}
