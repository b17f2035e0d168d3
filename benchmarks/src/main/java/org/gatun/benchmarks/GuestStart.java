package org.gatun.benchmarks;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.gatun.broker.Broker;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.Grant;
import org.gatun.broker.Quota;
import org.gatun.broker.config.GuestProgram;
import org.gatun.broker.service.process.GuestLauncher;
import org.gatun.broker.service.process.GuestProcess;
import org.gatun.broker.service.process.ProcessJournal;
import org.gatun.hostile.GuestModules;
import org.gatun.nativeaccess.Landlock;
import org.gatun.pci.DeviceName;
import org.gatun.simulated.SimulatedBus;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * The start of a guest in a process of its own, on a simulated device: from the request until its
 * driver is attached, all locks closed that the kernel has. As root.
 */
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@State(Scope.Thread)
public class GuestStart {
  private static final Quota QUOTA = new Quota(GuestProgram.DEFAULT_DMA, 16);

  private final SimulatedBus bus = SimulatedBus.realTime();
  private final Broker broker = new Broker(List.of(bus));
  private final DeviceName edu = bus.plug("edu");
  private @Nullable Path folder;
  private @Nullable GuestLauncher launcher;
  private @Nullable Grant grant;
  private CountDownLatch ended = new CountDownLatch(0);

  /** Has a broker with a device. */
  @Setup
  public void open() throws IOException {
    Path made = Files.createTempDirectory("gatun");
    folder = made;
    launcher = new GuestLauncher(made, ProcessJournal.open(made.resolve("processes")));
    launcher.archiveClasses();
    broker.seize(edu);
  }

  /** Grants the device. */
  @Setup(Level.Invocation)
  public void grant() {
    grant = broker.grant("guest", QUOTA, List.of(DeviceRequest.of(edu)));
    ended = new CountDownLatch(1);
  }

  /** Starts a guest on it. */
  @Benchmark
  public GuestProcess attached() throws IOException {
    return Objects.requireNonNull(launcher)
        .start(
            "guest",
            new GuestProgram(
                GuestModules.path(),
                "org.gatun.hostile",
                List.of("stay"),
                Optional.empty(),
                GuestProgram.DEFAULT_HEAP,
                Landlock.version() > 0 ? Set.of() : Set.of(GuestProgram.Lock.LANDLOCK),
                GuestProgram.Supervision.DEFAULT,
                GuestProgram.Limits.NONE),
            QUOTA,
            Objects.requireNonNull(grant).connect().getFirst(),
            OutputStream.nullOutputStream(),
            (_, _) -> ended.countDown());
  }

  /** Takes the device back. */
  @TearDown(Level.Invocation)
  public void revoke() throws InterruptedException {
    Objects.requireNonNull(grant).revoke(Duration.ZERO);
    ended.await();
  }

  /** Ends the broker. */
  @TearDown
  public void close() throws IOException {
    broker.close();
    // Before the journal goes, which is all that knows of its control group.
    Objects.requireNonNull(launcher).close();
    bus.close();
    Path made = Objects.requireNonNull(folder);
    try (Stream<Path> files = Files.walk(made)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
