package org.gatun.vmtests.machine;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * How a machine ended.
 *
 * @param exitStatus of the command, -1 if it did not end
 * @param console what the kernel and the command printed
 * @param share the directory that the machine could write, at the same path inside and outside
 * @param duration from QEMU's start to its end
 */
public record Boot(End end, int exitStatus, Path console, Path share, Duration duration) {
  private static final int QUOTED_LINES = 60;

  /** What ended the machine. */
  public enum End {
    /** The command ended and the machine switched itself off. */
    ORDERLY("ended orderly"),
    /** The kernel gave up. */
    PANIC("had a kernel panic"),
    /** The time was up: the machine was stopped from outside. */
    TIME_OUT("was stopped at its time-out"),
    /** QEMU ended by itself, or switched off before the command ended. */
    EARLY("ended before the command did");

    private final String words;

    End(String words) {
      this.words = words;
    }
  }

  /** Whether the machine ended by itself after the command ended with status 0. */
  public boolean successful() {
    return end == End.ORDERLY && exitStatus == 0;
  }

  /** One line. */
  public String summary() {
    return "the machine %s after %.1f s%s; console log: %s"
        .formatted(
            end.words,
            duration.toMillis() / 1000.0,
            end == End.ORDERLY ? ", its command with status " + exitStatus : "",
            console);
  }

  /** The summary and the end of the console log. */
  public String report() throws IOException {
    List<String> lines = consoleText().lines().toList();
    List<String> last = lines.subList(Math.max(0, lines.size() - QUOTED_LINES), lines.size());
    return summary()
        + "\n--- the log's last "
        + last.size()
        + " lines ---\n"
        + String.join("\n", last);
  }

  /** The whole console log. */
  public String consoleText() throws IOException {
    return new String(Files.readAllBytes(console), StandardCharsets.UTF_8).replace("\r", "");
  }
}
