package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.Quota;
import org.gatun.broker.config.GuestProgram;
import org.gatun.broker.config.GuestProgram.Limits;
import org.gatun.broker.config.GuestProgram.Restart;
import org.gatun.broker.config.GuestProgram.Supervision;
import org.gatun.broker.service.process.GuestProcess;
import org.gatun.broker.service.process.GuestRun;
import org.gatun.broker.service.process.ProcessJournal;
import org.gatun.hostile.DiskLoad.Progress;
import org.gatun.vfio.VfioBackend;
import org.gatun.vmtests.VfioDevices.Taken;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What a guest uses of the machine is limited, and hurts no other: for {@link FloodTest}. */
@InVm
class FloodInVm {
  private static final Duration PATIENCE = Duration.ofMinutes(2);

  /** Until a flood that has begun is at its height. */
  private static final Duration SETTLING = Duration.ofSeconds(1);

  private static final Duration WINDOW = Duration.ofSeconds(3);
  private static final int WINDOWS = 5;

  /** Of a processor: what is spent on a flooder that is quiet. */
  private static final double NOTHING = 0.02;

  private static final double HALF = 0.5;
  private static final double LEAST_RATIO = 0.40;
  private static final Duration STARVED = Duration.ofSeconds(1);

  /** Of the broker's work in a window: what may be ahead, and one message. */
  private static final double AHEAD = 0.3;

  private static final Quota QUOTA = new Quota(8L << 20, 64);
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  private final ByteArrayOutputStream victimSaid = new ByteArrayOutputStream();
  private Path folder;
  private GuestRun guests;

  @BeforeEach
  void start() throws IOException {
    folder = Files.createTempDirectory("broker");
    guests = new GuestRun(folder, new VfioBackend());
  }

  @AfterEach
  void stop() {
    guests.close();
  }

  private GuestProcess start(String guest, Taken device, GuestProgram program, OutputStream copy)
      throws IOException {
    guests.seize(device.name());
    return guests.start(guest, DeviceRequest.of(device.name()), QUOTA, program, copy);
  }

  private GuestProcess start(String guest, Taken device, GuestProgram program) throws IOException {
    return start(guest, device, program, OutputStream.nullOutputStream());
  }

  private static Limits memory(long bytes) {
    return new Limits(OptionalDouble.empty(), OptionalLong.of(bytes), OptionalInt.empty());
  }

  /** The folder of all groups of this broker's guests. */
  private Path groups() throws IOException {
    return guests.groups().orElseThrow();
  }

  @Test
  void oneThatTakesTooMuchMemoryIsEndedAndSaysSo() throws Exception {
    Taken disk = devices.device("flooder", "nvme").bind();
    GuestProcess process =
        start("greedy", disk, GuestRun.program(memory(128L << 20), "native-memory 4096"));
    GuestProcess.End end = guests.awaitEnd(process);
    assertThat(end.status()).as(end.toString()).isEqualTo(128 + 9);
    assertThat(end.reason()).isEqualTo("it ran out of memory: its limit is 128 MiB");
    assertThat(groups().resolve("greedy-0")).doesNotExist();
  }

  @Test
  void whatABrokerLeavesInItsGroupsTheNextOneEnds() throws Exception {
    Taken disk = devices.device("flooder", "nvme").bind();
    GuestProcess process = start("left", disk, GuestRun.program(memory(256L << 20), "stay"));
    Path groups = groups();
    Path group = groups.resolve("left-0");
    assertThat(Files.readString(group.resolve("cgroup.procs")).strip())
        .isEqualTo(Long.toString(process.pid()));
    assertThat(Files.readString(group.resolve("memory.max")).strip())
        .isEqualTo(Long.toString(256L << 20));
    assertThat(Files.readString(group.resolve("pids.max")).strip()).isEqualTo("256");
    // All that the next one has: no process is named.
    Path journal = Files.writeString(folder.resolve("left"), "group " + groups);
    ProcessJournal.open(journal);
    assertThat(ProcessHandle.of(process.pid()).map(ProcessHandle::isAlive))
        .isNotEqualTo(Optional.of(true));
    assertThat(guests.awaitEnd(process).status()).isEqualTo(128 + 9);
    assertThat(groups).doesNotExist();
  }

  @Test
  void aFlooderLeavesTheOthersTheirShare() throws Exception {
    Taken victimsDisk = devices.device("victim", "nvme").bind();
    Taken floodersDisk = devices.device("flooder", "nvme").bind();
    GuestProcess victim =
        start("victim", victimsDisk, GuestRun.program("watched-disk"), victimSaid);
    victimsDisk.markInUse();
    Limits limits = new Limits(OptionalDouble.of(HALF), OptionalLong.empty(), OptionalInt.empty());
    // It says that it lives: more than enough, and not while it is frozen.
    Supervision patient = new Supervision(Restart.NEVER, Optional.of(PATIENCE));
    GuestProcess flooder =
        start("flooder", floodersDisk, GuestRun.program(limits, patient, "flood"));
    floodersDisk.markInUse();
    GuestRun.awaitLine(flooder, line -> line.equals("flooding"));

    List<Window> quiet = new ArrayList<>();
    List<Window> flooded = new ArrayList<>();
    for (int i = 0; i < WINDOWS; i++) {
      freeze(true);
      awaitQuiet(flooder);
      quiet.add(window(flooder));
      freeze(false);
      Thread.sleep(SETTLING);
      flooded.add(window(flooder));
    }
    for (GuestProcess guest : List.of(flooder, victim)) {
      assertThat(guests.hasEnded(guest)).as("guest %s has ended", guest.guest()).isFalse();
      guest.end("the test ends");
      assertThat(guests.awaitEnd(guest).reason()).isEqualTo("the test ends");
    }

    List<Progress> progress =
        Progress.in(victimSaid.toString(StandardCharsets.UTF_8).lines().toList());
    quiet.forEach(window -> System.out.println("quiet: " + window.text(progress)));
    flooded.forEach(window -> System.out.println("flooded: " + window.text(progress)));
    double ratio = rate(flooded, progress) / rate(quiet, progress);
    System.out.printf("the victim keeps %.2f of its IOPS%n", ratio);
    assertThat(flooded.stream().mapToLong(Window::served).sum())
        .as("messages of the flooder's that were served")
        .isGreaterThan(100);
    assertThat(flooded)
        .as("processors that the flooder used")
        .allSatisfy(window -> assertThat(window.used()).isBetween(HALF * 0.8, HALF * 1.2));
    assertThat(Stream.concat(quiet.stream(), flooded.stream()))
        .as("the broker's work for the flooder")
        .allSatisfy(
            window -> assertThat(window.spent()).isLessThan(HALF * window.seconds() + AHEAD));
    Window all = new Window(quiet.getFirst().begin, flooded.getLast().end);
    assertThat(all.longest(progress))
        .as("the longest time between two completions of the victim's")
        .isLessThan(STARVED.toNanos());
    assertThat(ratio).isGreaterThanOrEqualTo(LEAST_RATIO);
  }

  private static double rate(List<Window> windows, List<Progress> progress) {
    return windows.stream().mapToDouble(window -> window.rate(progress)).average().orElseThrow();
  }

  /**
   * What was so far.
   *
   * @param served messages of the flooder's
   * @param spent on the flooder by the broker, in nanoseconds of processor time
   * @param used by the flooder, in microseconds of processor time
   */
  private record State(long time, long served, long spent, long used) {}

  /** Stops all of the flooder's threads, or has them go on. */
  private void freeze(boolean frozen) throws IOException {
    Files.writeString(groups().resolve("flooder-1/cgroup.freeze"), frozen ? "1" : "0");
  }

  /** What it has sent before is worked off. */
  private void awaitQuiet(GuestProcess flooder) throws Exception {
    long begin = System.nanoTime();
    Window last;
    do {
      State before = now(flooder);
      Thread.sleep(SETTLING);
      last = new Window(before, now(flooder));
      assertThat(System.nanoTime() - begin)
          .as("until the broker is done with what the flooder has sent")
          .isLessThan(PATIENCE.toNanos());
    } while (last.used() > NOTHING || last.spent() > NOTHING * SETTLING.toSeconds());
    System.out.printf("quiet after %.0f s%n", (System.nanoTime() - begin) / 1e9);
  }

  private Window window(GuestProcess flooder) throws Exception {
    State before = now(flooder);
    Thread.sleep(WINDOW);
    return new Window(before, now(flooder));
  }

  private State now(GuestProcess flooder) throws Exception {
    long used =
        Files.readAllLines(groups().resolve("flooder-1/cpu.stat")).stream()
            .filter(line -> line.startsWith("usage_usec "))
            .mapToLong(line -> Long.parseLong(line.substring(line.indexOf(' ') + 1)))
            .findFirst()
            .orElseThrow();
    long spent = 0;
    String device = flooder.device().name().toString();
    for (ThreadInfo thread : THREADS.getThreadInfo(THREADS.getAllThreadIds())) {
      if (thread != null && thread.getThreadName().endsWith(" " + device)) {
        spent += THREADS.getThreadCpuTime(thread.getThreadId());
      }
    }
    return new State(System.nanoTime(), flooder.served(), spent, used);
  }

  /** A time in which nothing changes. */
  private record Window(State begin, State end) {
    long served() {
      return end.served - begin.served;
    }

    double seconds() {
      return (end.time - begin.time) / 1e9;
    }

    /** Seconds of processor time, of the broker's. */
    double spent() {
      return (end.spent - begin.spent) / 1e9;
    }

    /** Processors, by the flooder. */
    double used() {
      return (end.used - begin.used) * 1e3 / (end.time - begin.time);
    }

    private List<Progress> within(List<Progress> progress) {
      return progress.stream().filter(p -> p.time() >= begin.time && p.time() <= end.time).toList();
    }

    double rate(List<Progress> progress) {
      List<Progress> within = within(progress);
      assertThat(within).as("what the victim told").hasSizeGreaterThan(5);
      Progress first = within.getFirst();
      Progress last = within.getLast();
      return (last.done() - first.done()) * 1e9 / (last.time() - first.time());
    }

    long longest(List<Progress> progress) {
      return within(progress).stream().mapToLong(Progress::longest).max().orElseThrow();
    }

    String text(List<Progress> progress) {
      return "%.0f IOPS, longest gap %.1f ms; flooder: %.2f processors, %d messages served, in %.2f s"
          .formatted(rate(progress), longest(progress) / 1e6, used(), served(), spent());
    }
  }
}
