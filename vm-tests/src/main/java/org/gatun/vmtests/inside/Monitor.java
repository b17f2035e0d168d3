package org.gatun.vmtests.inside;

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/**
 * The monitor of the QEMU that this machine is in, on its second serial port (QEMU,
 * docs/interop/qmp-spec.rst).
 */
public final class Monitor implements AutoCloseable {
  private static final String PORT = "/dev/ttyS1";

  private final OutputStream commands;
  private final BufferedReader answers;

  /** In a machine with hot plug. */
  public Monitor() throws IOException, InterruptedException {
    Command.run("stty", "-F", PORT, "raw", "-echo", "115200").expectSuccess();
    commands = new FileOutputStream(PORT);
    answers =
        new BufferedReader(
            new InputStreamReader(new FileInputStream(PORT), StandardCharsets.UTF_8));
    execute("{\"execute\": \"qmp_capabilities\"}");
  }

  /**
   * Executes a command, in JSON.
   *
   * @return its answer, or error
   */
  public String execute(String command) throws IOException {
    commands.write((command + "\n").getBytes(StandardCharsets.UTF_8));
    while (true) {
      String line = answers.readLine();
      if (line == null) {
        throw new IOException("the monitor is gone");
      }
      // The rest is its greeting, of which the start may be lost, and events.
      if (line.startsWith("{\"return\"") || line.startsWith("{\"error\"")) {
        return line;
      }
    }
  }

  @Override
  public void close() throws IOException {
    commands.close();
    answers.close();
  }
}
