package org.gatun.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.gatun.broker.Broker;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.Grant;
import org.gatun.broker.Quota;
import org.gatun.broker.config.GuestProgram;
import org.gatun.broker.guest.GuestRefusedException;
import org.gatun.broker.guest.InProcessGuest;
import org.gatun.broker.service.process.GuestProcess;
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
      "Grants a device to a guest, under the built-in policy, until the guest is done. It runs in a"
          + " process of its own, behind locks of the kernel's, which need root: namespaces, user,"
          + " landlock, syscalls.",
      "With --in-process a guest is kept from mistakes, not from malice: its modules may require"
          + " java.base, org.gatun.pci, org.gatun.specs and each other, and their classes may name"
          + " what is on a list."
    })
final class GuestRunCommand implements Callable<Integer> {
  private static final Duration LOOK = Duration.ofMillis(100);

  @Option(names = "--in-process", description = "In this process, without the locks.")
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

  @Option(
      names = "--root",
      paramLabel = "FOLDER",
      description =
          "What its process sees as its root, read-only. Without it: shared libraries only.")
  private Optional<Path> root = Optional.empty();

  @Option(
      names = "--dma",
      paramLabel = "SIZE",
      description = "Memory for its device, all there from the start. Without it: 64M.")
  private Optional<ByteSize> dma = Optional.empty();

  @Option(
      names = "--heap",
      paramLabel = "SIZE",
      description = "The most that its JVM uses for objects. Without it: 256M.")
  private Optional<ByteSize> heap = Optional.empty();

  @Option(
      names = "--cpu",
      paramLabel = "NUMBER",
      description = "How many processors' time it may use, such as 0.5. Needs cgroup v2.")
  private Optional<Double> cpu = Optional.empty();

  @Option(
      names = "--memory",
      paramLabel = "SIZE",
      description =
          "The most memory that its process may have, without --dma. Needs cgroup v2. Without it:"
              + " the heap, and 384M.")
  private Optional<ByteSize> memory = Optional.empty();

  @Option(
      names = "--without",
      split = ",",
      paramLabel = "LOCK",
      description = "A lock that is not to be closed: namespaces, user, landlock, syscalls.")
  private List<GuestProgram.Lock> without = List.of();

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (inProcess
        && (!without.isEmpty()
            || Stream.of(root, dma, heap, cpu, memory).anyMatch(Optional::isPresent))) {
      throw new ParameterException(
          spec.commandLine(),
          "--root, --dma, --heap, --cpu, --memory and --without are for a process of its own");
    }
    Interruption interruption = Gatun.of(spec).interruption;
    Optional<PciGuest> guest = inProcess ? Optional.of(load()) : Optional.empty();
    try (Broker broker = new Broker(Backends.installed())) {
      interruption.guard(broker::close);
      broker.seize(device);
      if (guest.isPresent()) {
        runHere(guest.get(), broker, interruption);
        return ExitCode.OK;
      }
      return runInProcess(broker, interruption);
    }
  }

  private void runHere(PciGuest guest, Broker broker, Interruption interruption)
      throws InterruptedException {
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

  /**
   * The guest's output is this command's, and its status too if that is 0 or 1; with any other one
   * it did not say itself how it went.
   */
  private int runInProcess(Broker broker, Interruption interruption)
      throws IOException, InterruptedException {
    GuestProgram program =
        new GuestProgram(
            absolute(modulePath),
            module,
            arguments,
            root.map(Path::toAbsolutePath),
            heap.map(ByteSize::bytes).orElse(GuestProgram.DEFAULT_HEAP),
            new LinkedHashSet<>(without),
            GuestProgram.Supervision.DEFAULT,
            limits());
    long dmaBytes = dma.map(ByteSize::bytes).orElse(GuestProgram.DEFAULT_DMA);
    GuestProcess.End end =
        ForegroundGuest.run(broker, device, dmaBytes, program, interruption).end();
    if (end.status() > 1 && !interruption.isRequested()) {
      throw new PciException(device, "guest " + module + ": " + end.reason(), null, null);
    }
    return end.status() == 0 ? ExitCode.OK : ExitCode.FAILED;
  }

  private GuestProgram.Limits limits() {
    return new GuestProgram.Limits(
        cpu.map(OptionalDouble::of).orElse(OptionalDouble.empty()),
        memory.map(size -> OptionalLong.of(size.bytes())).orElse(OptionalLong.empty()),
        OptionalInt.empty());
  }

  private static List<Path> absolute(List<Path> paths) {
    List<Path> absolute = new ArrayList<>();
    paths.forEach(path -> absolute.add(path.toAbsolutePath()));
    return absolute;
  }

  private PciGuest load() throws IOException {
    try {
      return InProcessGuest.load(modulePath, module);
    } catch (GuestRefusedException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
  }
}
