package org.gatun.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.concurrent.Callable;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciException;
import org.gatun.pci.spi.Backends;
import org.gatun.vfiouser.DeviceExport;
import org.gatun.vfiouser.ExportOptions;
import org.gatun.vfiouser.Limits;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gatun export}. */
@Command(
    name = "export",
    mixinStandardHelpOptions = true,
    description = {
      "Serves a device at a socket, by the vfio-user protocol, until SIGINT or SIGTERM: to QEMU"
          + " (vfio-user-pci), to SPDK, or to gatun itself, as vfio-user:PATH. One client at a"
          + " time; others wait.",
      "Of a real device a client reaches registers by messages only; what a simulated device shares"
          + " it can map. Between clients the device is stopped, and reset if it can be."
    })
final class ExportCommand implements Callable<Integer> {
  /** How often to look whether the process is to end. */
  private static final Duration LOOK = Duration.ofMillis(50);

  @Parameters(
      paramLabel = "DEVICE",
      description = "Like vfio:0000:00:04.0 or simulated:nvme,file=disk.img.")
  private DeviceName name;

  @Option(
      names = "--socket",
      required = true,
      paramLabel = "PATH",
      description = "Where the socket is made; it is removed at the end.")
  private Path socket;

  @Option(
      names = "--uid",
      paramLabel = "UID",
      description =
          "A user whose processes may connect; may be given several times. By default your own and"
              + " root's. The socket's folder has to let them in, too.")
  private List<Integer> uids = List.of();

  @Option(
      names = "--any-memory",
      description =
          "Take memory from a client that is no sealed memfd: files, huge pages. Only of use with a"
              + " real device, whose memory this process never touches.")
  private boolean anyMemory;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws InterruptedException {
    Interruption interruption = Gatun.of(spec).interruption;
    ExportOptions options = new ExportOptions(new LinkedHashSet<>(uids), anyMemory, Limits.DEFAULT);
    try (HeldDevice held = HeldDevice.of(Backends.open(name), interruption);
        DeviceExport export = DeviceExport.listen(held.device(), socket, options)) {
      PrintWriter out = spec.commandLine().getOut();
      out.println(name + ": served at " + socket);
      out.flush();
      while (!export.awaitEnd(LOOK)) {
        if (interruption.isRequested()) {
          return ExitCode.OK;
        }
        held.checkDeadline(); // until then its client may let go of it
      }
      held.check();
      throw new PciException(name, "it is not served any more", "see the log above", null);
    }
  }
}
