package org.gatun.broker.service.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.gatun.broker.Broker;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.Grant;
import org.gatun.broker.GrantedDevice;
import org.gatun.broker.Quota;
import org.gatun.broker.config.GuestProgram;
import org.gatun.hostile.GuestModules;
import org.gatun.nativeaccess.Landlock;
import org.gatun.pci.DeviceName;
import org.gatun.simulated.SimulatedBus;

/** A broker on the simulated bus, and hostile guests in processes of their own. */
final class GuestRun implements AutoCloseable {
  private static final long DMA = 4L << 20;

  private final SimulatedBus bus = SimulatedBus.realTime();
  private final Broker broker = new Broker(List.of(bus));
  private final GuestLauncher launcher;
  private final Map<DeviceName, Grant> grants = new HashMap<>();
  private final BlockingQueue<GuestProcess.End> ends = new LinkedBlockingQueue<>();

  GuestRun(Path folder) throws IOException {
    launcher =
        new GuestLauncher(
            folder.resolve("launch"), ProcessJournal.open(folder.resolve("processes")));
  }

  SimulatedBus bus() {
    return bus;
  }

  GuestLauncher launcher() {
    return launcher;
  }

  DeviceName plug(String model) {
    DeviceName name = bus.plug(model);
    broker.seize(name);
    return name;
  }

  Grant grant(DeviceName device) {
    Grant grant = broker.grant("hostile", new Quota(DMA, 16), List.of(DeviceRequest.of(device)));
    grants.put(device, grant);
    return grant;
  }

  GuestProcess start(DeviceName device, String... arguments) throws IOException {
    return start(device, program(List.of(arguments), Optional.empty(), locksThatAreMissing()));
  }

  GuestProcess start(DeviceName device, GuestProgram program) throws IOException {
    GrantedDevice granted = grant(device).connect().getFirst();
    return launcher.start(
        "hostile",
        program,
        new Quota(DMA, 16),
        granted,
        OutputStream.nullOutputStream(),
        (_, end) -> ends.add(end));
  }

  static GuestProgram program(
      List<String> arguments, Optional<Path> root, Set<GuestProgram.Lock> without) {
    return new GuestProgram(
        GuestModules.path(),
        "org.gatun.hostile",
        arguments,
        root,
        32L << 20,
        without,
        GuestProgram.Supervision.DEFAULT,
        GuestProgram.Limits.NONE);
  }

  /** Landlock is missing from some kernels; all others have to be there. */
  static Set<GuestProgram.Lock> locksThatAreMissing() {
    return Landlock.version() > 0 ? Set.of() : Set.of(GuestProgram.Lock.LANDLOCK);
  }

  /** Runs a guest to its end. */
  GuestProcess.End run(DeviceName device, String... arguments)
      throws IOException, InterruptedException {
    start(device, arguments);
    return awaitEnd();
  }

  GuestProcess.End awaitEnd() throws InterruptedException {
    GuestProcess.End end = ends.poll(60, TimeUnit.SECONDS);
    assertThat(end).as("the guest has ended").isNotNull();
    return end;
  }

  /** What is open, mapped and running in this process. */
  static String holdings() throws IOException {
    try (var fds = Files.list(Path.of("/proc/self/fd"))) {
      return "%d descriptors, %d mappings of DMA memory"
          .formatted(
              fds.count(),
              Files.readAllLines(Path.of("/proc/self/maps")).stream()
                  .filter(line -> line.contains("gatun DMA of"))
                  .count());
    }
  }

  @Override
  public void close() {
    broker.close();
    bus.close();
    launcher.close();
  }
}
