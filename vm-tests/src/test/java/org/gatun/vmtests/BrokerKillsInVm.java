package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.gatun.hostile.GuestModules;
import org.gatun.pci.TimeSource;
import org.gatun.vfio.sysfs.Sysfs;
import org.gatun.vmtests.VfioDevices.Taken;
import org.gatun.vmtests.inside.Command;
import org.gatun.vmtests.inside.Inside;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Kills the broker, as it is shipped, while two guests do NVMe I/O, and has the next one take over:
 * for {@link BrokerKillsTest}.
 *
 * <p>A guest dies with its broker, as the kernel signals it. So in every other case that signal is
 * kept from the guests, which then are there still when the next broker starts, with their devices
 * mapped and their memory pinned. Before that, in half of the cases, another broker starts, and is
 * killed before it is done with that.
 */
@InVm
class BrokerKillsInVm {
  static final String KILLS = "gatun.kills";
  static final String SEED = "gatun.seed";
  static final List<String> DISKS = List.of("disk0", "disk1");

  private static final int LONGEST_LIFE_MILLIS = 300;

  /** So many interrupts more: I/O is going. */
  private static final int GOING = 100;

  /** SIGTERM, as an exit status. */
  private static final int TERMINATED = 128 + 15;

  /** For Java machines that start, one after the other. */
  private static final Duration START_LIMIT = Duration.ofMinutes(10);

  private static final Duration END_LIMIT = Duration.ofMinutes(1);
  private static final Duration LOOK = Duration.ofMillis(100);
  private static final Pattern STARTED = Pattern.compile("process (\\d+) has vfio:");

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  private final List<Taken> disks = new ArrayList<>();
  private final Path folder;

  /** The one that runs, and its guests are at work. */
  private GatunCommand.@Nullable Running broker;

  /** The processes of the guests that were at work last. */
  private List<Long> guests = List.of();

  /** How long the latest broker took, until its guests did I/O. */
  private Duration start = Duration.ZERO;

  BrokerKillsInVm() throws IOException {
    folder = Files.createTempDirectory("broker");
  }

  @TestFactory
  Stream<DynamicTest> theNextBrokerTakesOver() throws Exception {
    Random random = new Random(Long.parseLong(Inside.property(SEED)));
    int kills = Integer.parseInt(Inside.property(KILLS));
    DISKS.forEach(id -> disks.add(devices.device(id, "nvme").bind()));
    Files.writeString(folder.resolve("policy.yaml"), policy());
    Stream<DynamicTest> tests =
        Stream.iterate(1, i -> i + 1)
            .limit(kills)
            .map(
                i -> {
                  int life = random.nextInt(LONGEST_LIFE_MILLIS);
                  double next = random.nextBoolean() ? random.nextDouble() : 1;
                  return DynamicTest.dynamicTest(
                      "kill %d, after %d ms%s%s"
                          .formatted(
                              i,
                              life,
                              isSurvived(i) ? ", which the guests survive" : "",
                              next < 1
                                  ? ", and one at %.2f of the next start".formatted(next)
                                  : ""),
                      () -> {
                        kill(life, isSurvived(i), next);
                        takeOver(i < kills && isSurvived(i + 1));
                      });
                });
    return Stream.concat(tests, Stream.of(DynamicTest.dynamicTest("the end", this::endOrderly)))
        .onClose(this::killBroker);
  }

  private static boolean isSurvived(int kill) {
    return kill % 2 == 0;
  }

  private String policy() {
    // The driver takes all vectors that there are, and the mark is in the last one.
    StringBuilder text =
        new StringBuilder(
            """
            policies:
              - {id: "1b36:0010", vectors: 8}
            guests:
            """);
    for (int i = 0; i < disks.size(); i++) {
      text.append(
          """
            - name: %s
              devices: ['%s']
              quota: {dma: 8M}
              program:
                module-path: %s
                module: org.gatun.hostile
                arguments: [disk]
                heap: 64M
          """
              .formatted(DISKS.get(i), disks.get(i).name(), GuestModules.pathInPolicy()));
    }
    return text.toString();
  }

  /**
   * Kills it while its guests are at work, and perhaps another one while it starts.
   *
   * @param next after which part of the time that a start takes; 1 for no other one
   */
  private void kill(int life, boolean survived, double next) throws Exception {
    if (broker == null) {
      takeOver(survived);
      awaitArchives();
    }
    Thread.sleep(life);
    assertThat(guests).as("the guests were at it to the end").allMatch(GuestProcesses::isAlive);
    if (survived) {
      for (long guest : guests) {
        // Being honest, they would end when they notice.
        Command.run("kill", "-STOP", Long.toString(guest)).expectSuccess();
      }
    }
    killBroker();
    if (survived) {
      assertStillThere();
    } else {
      awaitNoneLaunchedBut(Set.of());
      assertAtRest();
    }
    if (next < 1) {
      broker = GatunCommand.start(brokerRun());
      Thread.sleep((long) (start.toMillis() * next));
      killBroker();
      awaitNoneLaunchedBut(Set.copyOf(guests));
    }
  }

  /** Or each broker would begin anew to archive classes, and be killed before it is done. */
  private void awaitArchives() {
    Path archives = folder.resolve("run/launch/archive");
    await(
        "archived classes",
        Objects.requireNonNull(broker),
        () -> String.join(" ", archives.toFile().list()).contains("SECOND-"));
  }

  /** What the kernel says of a device that somebody has: by opening its group, all is proven. */
  private void assertStillThere() throws IOException {
    assertThat(guests).as("stopped guests").allMatch(GuestProcesses::isAlive);
    assertThat(PinnedMemory.now().pages()).as("pinned pages").isPositive();
    for (Taken disk : disks) {
      assertThatExceptionOfType(FileSystemException.class)
          .as("the group of %s is open", disk.address())
          .isThrownBy(() -> openGroup(disk))
          .withMessageContaining("busy");
    }
  }

  /**
   * The next broker ends what is left, and has its guests at work.
   *
   * @param toBeSurvived whether its guests are not to die with it
   */
  private void takeOver(boolean toBeSurvived) throws Exception {
    List<Long> former = guests;
    long begin = System.nanoTime();
    GatunCommand.Running next =
        toBeSurvived
            ? GatunCommand.startUnableToKill(brokerRun())
            : GatunCommand.start(brokerRun());
    broker = next;
    boolean atWork = false;
    try {
      guests = awaitGuests(next);
      atWork = true;
    } finally {
      if (!atWork) {
        killBroker();
      }
    }
    start = Duration.ofNanos(System.nanoTime() - begin);
    System.out.println("guests are at work after " + start.toMillis() + " ms");
    assertThat(former).as("former guests").noneMatch(GuestProcesses::isAlive);
    assertThat(GuestProcesses.all())
        .as("processes of guests")
        .containsExactlyInAnyOrderElementsOf(guests);
    for (Taken disk : disks) {
      disk.checkReset();
      disk.markInUse();
    }
  }

  /** Waits until each device interrupts, as it does for I/O, and returns the guests' processes. */
  private List<Long> awaitGuests(GatunCommand.Running next) {
    await("guests", next, () -> !next.process().isAlive() || started(next).size() == disks.size());
    assertThat(started(next)).as("guests: %s", said(next)).hasSize(disks.size());
    for (Taken disk : disks) {
      long before = disk.interrupts();
      await("I/O", next, () -> disk.interrupts() - before >= GOING);
    }
    return started(next);
  }

  private void endOrderly() throws Exception {
    GatunCommand.Running last = Objects.requireNonNull(broker, "the last kill failed");
    broker = null;
    last.process().destroy();
    GatunCommand ended = last.end();
    assertThat(ended.exitStatus()).as("of SIGTERM: %s", ended).isEqualTo(TERMINATED);
    assertThat(ended.output()).as("%s", ended).doesNotContain("not clean", "not granted again");
    for (Taken disk : disks) {
      assertThat(ended.output().lines()).contains(disk.name() + ": released");
    }
    assertThat(GuestProcesses.all()).as("processes of guests").isEmpty();
    assertAtRest();
  }

  private void assertAtRest() throws IOException {
    for (Taken disk : disks) {
      disk.checkAtRest();
      openGroup(disk);
    }
    assertThat(PinnedMemory.now().pages()).as("pinned pages").isZero();
  }

  private String[] brokerRun() {
    return new String[] {
      "broker",
      "run",
      "--config",
      folder.resolve("policy.yaml").toString(),
      "--directory",
      folder.resolve("run").toString(),
      "--state",
      folder.resolve("state").toString()
    };
  }

  private static void await(String what, GatunCommand.Running broker, BooleanSupplier condition) {
    assertThat(TimeSource.system().await(condition, START_LIMIT, LOOK))
        .as("%s: %s", what, said(broker))
        .isTrue();
  }

  private static List<Long> started(GatunCommand.Running broker) {
    Matcher matcher = STARTED.matcher(text(broker.output()));
    return matcher.results().map(result -> Long.parseLong(result.group(1))).toList();
  }

  private static String said(GatunCommand.Running broker) {
    return text(broker.output()) + text(broker.errors());
  }

  /** SIGKILL, if there is one. */
  private void killBroker() {
    GatunCommand.Running victim = broker;
    broker = null;
    if (victim == null) {
      return;
    }
    victim.process().destroyForcibly().onExit().join();
    try {
      Files.delete(victim.output());
      Files.delete(victim.errors());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void awaitNoneLaunchedBut(Set<Long> known) {
    TimeSource.system().await(() -> known.containsAll(GuestProcesses.all()), END_LIMIT, LOOK);
    assertThat(known).as("processes of guests").containsAll(GuestProcesses.all());
  }

  private static void openGroup(Taken disk) throws IOException {
    Path group = Sysfs.ofThisMachine().vfioNode(disk.sysfs().iommuGroupNumber().orElseThrow());
    FileChannel.open(group, StandardOpenOption.READ, StandardOpenOption.WRITE).close();
  }

  private static String text(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
