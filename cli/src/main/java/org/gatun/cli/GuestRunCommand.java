package org.gatun.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import org.gatun.broker.Broker;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.Grant;
import org.gatun.broker.Quota;
import org.gatun.broker.guest.GuestRefusedException;
import org.gatun.broker.guest.InProcessGuest;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciException;
import org.gatun.pci.spi.Backends;
import org.gatun.pci.spi.HostedGuest;
import org.gatun.pci.spi.PciGuest;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code gatun guest run}. */
@Command(
    name = "run",
    mixinStandardHelpOptions = true,
    description = {
      "Grants a device to a guest, under the built-in policy, until the guest is done.",
      "In this process, a guest is kept from mistakes, not from malice: its modules may require"
          + " java.base, org.gatun.pci, org.gatun.specs and each other, and their classes may name"
          + " what is on a list."
    })
final class GuestRunCommand implements Callable<Integer> {
  private static final Duration LOOK = Duration.ofMillis(100);

  @Option(
      names = "--in-process",
      description = "In this process: so far the only way, which is to be asked for.")
  private boolean inProcess;

  @Option(
      names = "--module-path",
      required = true,
      split = ":",
      paramLabel = "PATH",
      description = "The guest's modules and the drivers that they use: jars, folders of jars.")
  private List<Path> modulePath;

  @Option(
      names = "--module",
      required = true,
      paramLabel = "NAME",
      description = "The module that provides the guest (org.gatun.pci.spi.PciGuest).")
  private String module;

  @Option(
      names = "--device",
      required = true,
      paramLabel = "DEVICE",
      description = "What it gets, like vfio:0000:00:04.0 or simulated:nvme,size=1G.")
  private DeviceName device;

  @Option(
      names = "--arg",
      paramLabel = "TEXT",
      description = "An argument for the guest. Several times for several.")
  private List<String> arguments = List.of();

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (!inProcess) {
      throw new ParameterException(
          spec.commandLine(), "guests run with --in-process only: it is missing");
    }
    Interruption interruption = Gatun.of(spec).interruption;
    PciGuest guest = load();
    try (Broker broker = new Broker(Backends.installed())) {
      interruption.guard(broker::close);
      broker.seize(device);
      Grant grant = broker.grant(module, Quota.DEFAULT, List.of(DeviceRequest.of(device)));
      HostedGuest hosted = HostedGuest.attach(guest, module, grant.connect().getFirst(), arguments);
      try (hosted) {
        while (!interruption.isRequested() && !hosted.awaitEnd(LOOK)) {
          // Until one of both.
        }
      }
      if (hosted.failure().isPresent()) {
        Throwable e = hosted.failure().get();
        throw new PciException(device, "guest " + module + " failed: " + e, null, e);
      }
    }
    return ExitCode.OK;
  }

  private PciGuest load() throws IOException {
    try {
      return InProcessGuest.load(modulePath, module);
    } catch (GuestRefusedException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
  }
}
