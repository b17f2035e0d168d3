package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintWriter;
import java.io.StringWriter;

/**
 * What a run of the command gave.
 *
 * @param out standard output
 * @param err standard error
 */
record CommandLineRun(int status, String out, String err) {
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
    assertThat(err.lines().filter(line -> !line.startsWith("read:") && !line.startsWith("write:")))
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
