package org.gatun.vmtests;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;
import org.gatun.vfiouser.DeviceExport;
import org.gatun.vfiouser.ExportOptions;

/** A Java process that serves a device model, so that it can be killed. */
final class ServerProcess implements AutoCloseable {
  private static final String LISTENS = "listens";

  private final Process process;

  private ServerProcess(Process process) {
    this.process = process;
  }

  /**
   * Starts it, and returns when it listens.
   *
   * @param model and its options, as in a device's name
   */
  static ServerProcess start(String model, Path socket) throws IOException {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                VmRun.classPath(),
                ServerProcess.class.getName(),
                model,
                socket.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    BufferedReader output = process.inputReader(StandardCharsets.UTF_8);
    if (!LISTENS.equals(output.readLine())) {
      process.destroyForcibly();
      throw new IOException("the server did not start");
    }
    return new ServerProcess(process);
  }

  /** Serves until standard input ends: also if the test's process is killed. */
  static void main(String[] args) throws IOException {
    try (SimulatedBus bus = SimulatedBus.realTime();
        PciDevice device = bus.open(bus.plug(args[0]));
        DeviceExport _ = DeviceExport.listen(device, Path.of(args[1]), ExportOptions.DEFAULT)) {
      System.out.println(LISTENS);
      System.in.read();
    }
  }

  /** SIGKILL. */
  void kill() {
    process.destroyForcibly();
  }

  @Override
  public void close() {
    process.destroyForcibly();
    process.onExit().join();
  }
}
