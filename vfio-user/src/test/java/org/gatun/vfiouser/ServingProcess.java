package org.gatun.vfiouser;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.spi.Backends;

/** A process that serves a simulated device. */
final class ServingProcess implements AutoCloseable {
  private final Path directory;
  private final JavaProcess process;

  ServingProcess(String model) {
    try {
      directory = Files.createTempDirectory("gatun");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    process = new JavaProcess(ServingProcess.class, "simulated:" + model, socket().toString());
    if (process.firstLine() == null) {
      throw new IllegalStateException("the server ended");
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
    process.kill();
  }

  @Override
  public void close() {
    process.close();
    try {
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
