package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.gatun.driver.nvme.Completion;
import org.gatun.hostile.DiskLoad;
import org.gatun.hostile.GuestModules;
import org.gatun.pci.TimeSource;
import org.gatun.vmtests.VfioDevices.Taken;
import org.gatun.vmtests.inside.Inside;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A guest in a process of its own reads a disk: for {@link GuestIoTest}. */
@InVm
class GuestIoInVm {
  static final String READS = "gatun.reads";
  static final String RUNS = "gatun.runs";

  /** For Java machines that start. */
  private static final Duration START_LIMIT = Duration.ofMinutes(10);

  private static final Duration READ_LIMIT = Duration.ofHours(1);

  /** Seldom: looking takes time from the guest. */
  private static final Duration LOOK = Duration.ofMillis(200);

  private static final Duration IDLE = Duration.ofSeconds(10);

  /** What the broker does besides: for the guest's lines, and as far as its pace varies. */
  private static final long BESIDES = 200;

  private static final double PACE = 1.2;

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  private final long reads = Long.parseLong(Inside.property(READS));

  /**
   * The broker goes on looking after the guest: as often, in the same time, when the guest does
   * nothing. To the thread that serves the device nothing comes.
   */
  @Test
  void readsCostNoSystemCallAndNoMessageOfTheBroker() throws Exception {
    Taken disk = devices.device("disk", "nvme").bind();
    try (SystemCalls calls = SystemCalls.all();
        SystemCalls receipts = SystemCalls.receipts()) {
      GatunCommand.Running broker = guestRun(disk);
      try {
        await(broker, DiskLoad.READING, START_LIMIT);
        Snapshot before = Snapshot.of(calls, receipts, broker.process());
        awaitResult(broker);
        Snapshot after = Snapshot.of(calls, receipts, broker.process());
        Thread.sleep(IDLE);
        Snapshot idle = Snapshot.of(calls, receipts, broker.process());

        Usage busy = after.since(before);
        Usage quiet = idle.since(after);
        long expected = Math.round(quiet.calls * (double) busy.nanos / quiet.nanos);
        System.out.printf(
            "%d reads, and half as many before, in %d ms: %d system calls of the broker; as many as"
                + " %d in that time without (%d in %d ms); %d messages to it%n",
            reads,
            busy.nanos / 1_000_000,
            busy.calls,
            expected,
            quiet.calls,
            quiet.nanos / 1_000_000,
            busy.messages);
        assertThat(busy.messages).as("messages to the broker").isZero();
        assertThat(busy.calls)
            .as("system calls of the broker; %d would be made anyhow", expected)
            .isLessThanOrEqualTo(Math.round(PACE * expected) + BESIDES);
        // The counters count.
        assertThat(before.messages()).as("messages until the device is set up").isPositive();
        assertThat(quiet.calls).isPositive();
      } finally {
        end(broker);
      }
    }
  }

  /** A benchmark: what comes of it is printed, and no figure is demanded. */
  @Test
  void asFastAsInProcess() throws Exception {
    Taken disk = devices.device("disk", "nvme").bind();
    int runs = Integer.parseInt(Inside.property(RUNS));
    assumeTrue(runs > 0, "no runs are wanted");
    List<Double> ratios = new ArrayList<>();
    NvmeFigures figures = new NvmeFigures();
    for (int run = 0; run < runs; run++) {
      double guest = inGuest(disk);
      double inProcess = InProcessLoad.run(disk.name(), reads, DiskLoad.DEPTH, Completion.POLL);
      ratios.add(guest / inProcess);
      figures.add(NvmeFigures.LAYERS, "in process, VFIO", DiskLoad.DEPTH, inProcess);
      figures.add(NvmeFigures.LAYERS, "process guest, VFIO", DiskLoad.DEPTH, guest);
      System.out.printf(
          "run %d: %.0f reads a second in a guest, %.0f in process without a broker: %.3f%n",
          run + 1, guest, inProcess, guest / inProcess);
    }
    figures.write();
    List<Double> sorted = ratios.stream().sorted().toList();
    double median = (sorted.get((runs - 1) / 2) + sorted.get(runs / 2)) / 2;
    System.out.printf(
        "%d runs of %d reads: the guest's rate is %.3f (%.3f..%.3f) of the other's%n",
        runs, reads, median, sorted.getFirst(), sorted.getLast());
    assertThat(ratios).allMatch(ratio -> ratio > 0);
  }

  private double inGuest(Taken disk) throws Exception {
    GatunCommand.Running broker = guestRun(disk);
    try {
      return awaitResult(broker);
    } finally {
      end(broker);
    }
  }

  private GatunCommand.Running guestRun(Taken disk) throws Exception {
    return GatunCommand.start(
        "guest",
        "run",
        "--module-path",
        GuestModules.path().stream().map(Path::toString).collect(Collectors.joining(":")),
        "--module",
        "org.gatun.hostile",
        "--device",
        disk.name().toString(),
        "--dma",
        "8M",
        "--heap",
        InProcessLoad.HEAP,
        "--arg",
        "disk",
        "--arg",
        Long.toString(reads));
  }

  /** The guest is done, and waits. */
  private static double awaitResult(GatunCommand.Running broker) throws IOException {
    await(broker, " ns\n", READ_LIMIT);
    return InProcessLoad.rate(Files.readString(broker.output()));
  }

  private static void await(GatunCommand.Running broker, String text, Duration limit)
      throws IOException {
    TimeSource.system()
        .await(() -> !broker.process().isAlive() || output(broker).contains(text), limit, LOOK);
    assertThat(output(broker)).as("%s", Files.readString(broker.errors())).contains(text);
  }

  private static void end(GatunCommand.Running broker) throws Exception {
    broker.process().destroy();
    GatunCommand ended = broker.end();
    assertThat(ended.exitStatus()).as("of SIGTERM: %s", ended).isEqualTo(128 + 15);
  }

  private static String output(GatunCommand.Running broker) {
    try {
      return Files.readString(broker.output());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * What there was of system calls at a time.
   *
   * @param calls by thread, of the whole machine
   * @param receipts those by which something came over a socket
   * @param names of the broker's threads, by their numbers
   * @param others threads of the guest, and of this process
   */
  private record Snapshot(
      long nanos,
      Map<Long, Long> calls,
      Map<Long, Long> receipts,
      Map<Long, String> names,
      Set<Long> others) {
    /** How the name of the thread begins that serves a device, as far as the kernel keeps it. */
    private static final String SERVING = "gatun export";

    static Snapshot of(SystemCalls calls, SystemCalls receipts, Process broker) throws IOException {
      long nanos = System.nanoTime();
      Set<Long> others = new HashSet<>(threads(ProcessHandle.current().pid()).keySet());
      for (ProcessHandle guest : broker.descendants().toList()) {
        others.addAll(threads(guest.pid()).keySet());
      }
      return new Snapshot(nanos, calls.now(), receipts.now(), threads(broker.pid()), others);
    }

    /** What came to who serves the device. A message is one receipt, or more. */
    long messages() {
      return names.entrySet().stream()
          .filter(thread -> thread.getValue().startsWith(SERVING))
          .mapToLong(thread -> receipts.getOrDefault(thread.getKey(), 0L))
          .sum();
    }

    Usage since(Snapshot before) {
      long sum = 0;
      for (Map.Entry<Long, Long> entry : calls.entrySet()) {
        long thread = entry.getKey();
        if (!others.contains(thread) && !before.others.contains(thread)) {
          sum += entry.getValue() - before.calls.getOrDefault(thread, 0L);
        }
      }
      return new Usage(nanos - before.nanos, sum, messages() - before.messages());
    }

    private static Map<Long, String> threads(long process) throws IOException {
      Map<Long, String> names = new HashMap<>();
      try (DirectoryStream<Path> tasks =
          Files.newDirectoryStream(Path.of("/proc", Long.toString(process), "task"))) {
        for (Path task : tasks) {
          names.put(
              Long.parseLong(task.getFileName().toString()),
              Files.readString(task.resolve("comm")).strip());
        }
      }
      return names;
    }
  }

  /**
   * What was used from one time to another.
   *
   * @param calls of all that is neither the guest's nor this process's: the broker's, those of
   *     threads of its that have ended too
   * @param messages to the broker
   */
  private record Usage(long nanos, long calls, long messages) {}
}
