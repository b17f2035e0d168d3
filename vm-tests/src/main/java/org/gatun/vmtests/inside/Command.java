package org.gatun.vmtests.inside;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A command that a test ran.
 *
 * @param words the program and its arguments
 * @param output what it wrote to standard output and standard error, without white space at the end
 */
public record Command(List<String> words, int exitStatus, String output) {
  private static final Duration LIMIT = Duration.ofSeconds(60);

  /** Runs a command, for 60 s at most. */
  public static Command run(String... words) throws IOException, InterruptedException {
    return run(LIMIT, words);
  }

  /**
   * Runs a command with nothing on its standard input.
   *
   * @throws AssertionError if it has not ended at the limit; then it is killed
   */
  public static Command run(Duration limit, String... words)
      throws IOException, InterruptedException {
    Path output = Files.createTempFile("command", ".out");
    try {
      Process process =
          new ProcessBuilder(words)
              .redirectInput(new File("/dev/null"))
              .redirectErrorStream(true)
              .redirectOutput(output.toFile())
              .start();
      boolean ended = process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS);
      process.destroyForcibly();
      int status = process.waitFor();
      String text = new String(Files.readAllBytes(output), StandardCharsets.UTF_8).stripTrailing();
      Command command = new Command(List.of(words), status, text);
      if (!ended) {
        throw new AssertionError(
            command.describe("has not ended after " + limit.toSeconds() + " s"));
      }
      return command;
    } finally {
      Files.delete(output);
    }
  }

  /**
   * Demands the exit status 0.
   *
   * @return the output
   */
  public String expectSuccess() {
    return expectStatus(0);
  }

  /**
   * Demands an exit status.
   *
   * @return the output
   */
  public String expectStatus(int status) {
    if (exitStatus != status) {
      throw new AssertionError(
          describe("ended with status " + exitStatus + ", expected " + status));
    }
    return output;
  }

  private String describe(String what) {
    return String.join(" ", words) + " " + what + (output.isEmpty() ? "" : ":\n" + output);
  }
}
