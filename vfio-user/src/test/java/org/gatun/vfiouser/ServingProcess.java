package org.gatun.vfiouser;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.spi.Backends;

/** A process that serves a simulated device. */
final class ServingProcess implements AutoCloseable {
  private final Path directory;
  private final Process process;

  ServingProcess(String model) {
    try {
      directory = Files.createTempDirectory("gatun");
      process =
          new ProcessBuilder(
                  List.of(
                      Path.of(System.getProperty("java.home"), "bin/java").toString(),
                      "-XX:+UseSerialGC",
                      "-XX:TieredStopAtLevel=1",
                      "--enable-native-access=ALL-UNNAMED",
                      "-cp",
                      System.getProperty("java.class.path"),
                      ServingProcess.class.getName(),
                      "simulated:" + model,
                      socket().toString()))
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      BufferedReader out = process.inputReader(StandardCharsets.UTF_8);
      if (out.readLine() == null) {
        throw new IllegalStateException("the server ended");
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What the process runs: device, socket. It ends with its standard input. */
  public static void main(String[] args) throws IOException {
    try (PciDevice device = Backends.open(DeviceName.parse(args[0]));
        DeviceExport export =
            DeviceExport.listen(device, Path.of(args[1]), ExportOptions.DEFAULT)) {
      System.out.println(export);
      while (System.in.read() >= 0) {
        // Until its parent closes it, or has ended.
      }
    }
  }

  PciDevice open() {
    return new VfioUserBackend().open(new DeviceName(VfioUserBackend.SCHEME, socket().toString()));
  }

  /** Without giving it time for anything. */
  void kill() {
    process.destroyForcibly();
    process.onExit().join();
  }

  @Override
  public void close() {
    try {
      process.getOutputStream().close();
      process.onExit().join();
      Files.deleteIfExists(socket()); // of one that was killed
      Files.delete(directory);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Path socket() {
    return directory.resolve("device.sock");
  }
}
