package org.gatun.broker.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.gatun.broker.GrantRefusedException;
import org.gatun.broker.config.BrokerConfig;
import org.gatun.broker.launcher.Plan;
import org.gatun.hostile.GuestModules;
import org.gatun.nativeaccess.Landlock;
import org.gatun.pci.DeviceName;
import org.gatun.simulated.SimulatedBus;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Guests that the broker runs, on the simulated bus. */
@Timeout(120)
class ProcessGuestTest {
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private static final String HOSTILE = "org.gatun.hostile";

  private final SimulatedBus bus = SimulatedBus.realTime();
  private final DeviceName edu = bus.plug("edu");
  private final DeviceName nvme = bus.plug("nvme,size=1M");
  private final HeardEvents events = new HeardEvents();

  @TempDir private Path folder;

  @BeforeEach
  void needsRoot() throws IOException {
    assumeTrue(
        Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0),
        "a guest's locks need root: run the tests as root");
  }

  @AfterEach
  void close() {
    bus.close();
  }

  private BrokerService start(String arguments) throws IOException {
    return start(arguments, withoutWhatIsMissing(), HOSTILE);
  }

  /** Landlock is missing from some kernels; all others have to be there. */
  private static String withoutWhatIsMissing() {
    return Landlock.version() > 0 ? "" : "\n      without: [landlock]";
  }

  private BrokerService start(String arguments, String more, String module) throws IOException {
    BrokerConfig config =
        BrokerConfig.parse(
            "policy",
            """
            guests:
              - name: one
                devices: ['%s']
                quota: {dma: 4M}
                program:
                  module-path: %s
                  module: %s
                  arguments: [%s]
                  heap: 64M
                  %s
              - name: other
            """
                .formatted(edu, GuestModules.pathInPolicy(), module, arguments, more));
    return events.start(
        BrokerService.open(
            config,
            new BrokerService.Folders(folder.resolve("run"), folder.resolve("state")),
            List.of(bus)));
  }

  private static boolean isAlive(long process) {
    return ProcessHandle.of(process).map(ProcessHandle::isAlive).orElse(false);
  }

  @Test
  void aGuestWorksAndLetsGo() throws Exception {
    try (BrokerService service = start("edu")) {
      BrokerEvent.Started started = events.await(BrokerEvent.Started.class);
      assertThat(started.device()).isEqualTo(edu);
      assertThat(service.guests().getFirst().processes()).contains(List.of(started.process()));
      assertThat(Files.readString(Path.of("/proc", "" + started.process(), "status")))
          .as("its user is nobody else's, by its process")
          .containsPattern("Uid:\t" + (0x7e00_0000 + started.process()) + "\t");
      assertThat(service.revoke(edu, PATIENCE)).isEqualTo("one");
      BrokerEvent.Ended ended = events.await(BrokerEvent.Ended.class);
      assertThat(ended.lastLines())
          .containsExactly("factorial 3628800", "round trip done", "let go");
      assertThat(ended.status()).isZero();
      assertThat(isAlive(started.process())).isFalse();
      service.grant(edu, "other");
    }
  }

  @Test
  void guestsMapTheClassesThatHaveBeenArchived() throws Exception {
    assumeTrue(
        Plan.class.getProtectionDomain().getCodeSource().getLocation().getPath().endsWith(".jar"),
        "classes of folders can't be archived: run the tests with 'mvn verify'");
    try (BrokerService service = start("edu")) {
      assertThat(maps(events.await(BrokerEvent.Started.class).process()))
          .doesNotContain("/archive/");
      service.speedUpStarts();
      Path archives = folder.resolve("run/launch/archive");
      for (long end = System.nanoTime() + PATIENCE.toNanos();
          !String.join(" ", archives.toFile().list()).contains("SECOND-");
          Thread.sleep(20)) {
        assertThat(System.nanoTime()).as("until there is an archive").isLessThan(end);
      }
      service.revoke(edu, PATIENCE);
      events.await(BrokerEvent.Ended.class);
      service.grant(edu, "one");
      assertThat(maps(events.await(BrokerEvent.Started.class).process()))
          .contains("/archive/SECOND-");
      service.revoke(edu, PATIENCE);
      assertThat(events.await(BrokerEvent.Ended.class).lastLines())
          .containsExactly("factorial 3628800", "round trip done", "let go");
    }
  }

  private static String maps(long process) throws IOException {
    return Files.readString(Path.of("/proc", Long.toString(process), "maps"));
  }

  @Test
  void aLateGrantIsAProcessOfItsOwn() throws Exception {
    try (BrokerService service = start("stay")) {
      BrokerEvent.Started first = events.await(BrokerEvent.Started.class);
      service.grant(nvme, "one");
      BrokerEvent.Started second = events.await(BrokerEvent.Started.class);
      assertThat(second.device()).isEqualTo(nvme);
      assertThat(service.guests().getFirst().processes())
          .contains(List.of(first.process(), second.process()));
      service.revoke(nvme, Duration.ZERO);
      assertThat(events.await(BrokerEvent.Ended.class).process()).isEqualTo(second.process());
      assertThat(isAlive(first.process())).isTrue();
    }
    BrokerEvent.Ended last = events.await(BrokerEvent.Ended.class);
    assertThat(last.device()).isEqualTo(edu);
    assertThat(isAlive(last.process())).isFalse();
  }

  @Test
  void oneIsStoppedAndStarted() throws Exception {
    try (BrokerService service = start("stay")) {
      BrokerEvent.Started first = events.await(BrokerEvent.Started.class);
      service.startGuest("one");
      assertThat(service.guests().getFirst().processes()).contains(List.of(first.process()));
      service.stopGuest("one", Duration.ZERO);
      assertThat(events.await(BrokerEvent.Ended.class).process()).isEqualTo(first.process());
      service.startGuest("one");
      assertThat(events.await(BrokerEvent.Started.class).device()).isEqualTo(edu);
    }
  }

  @Test
  void oneThatDoesNotLetGoIsEnded() throws Exception {
    try (BrokerService service = start("hang")) {
      BrokerEvent.Started started = events.await(BrokerEvent.Started.class);
      service.revoke(edu, Duration.ofMillis(200));
      BrokerEvent.Ended ended = events.await(BrokerEvent.Ended.class);
      assertThat(ended.status()).isEqualTo(128 + 9);
      assertThat(ended.reason()).isEqualTo("its device was taken back");
      assertThat(ended.lastLines()).containsExactly("hanging");
      assertThat(isAlive(started.process())).isFalse();
      service.grant(edu, "other");
    }
  }

  @Test
  void oneThatIsKilledLosesItsDevice() throws Exception {
    try (BrokerService service = start("stay")) {
      long process = events.await(BrokerEvent.Started.class).process();
      ProcessHandle.of(process).orElseThrow().destroyForcibly();
      BrokerEvent.Ended ended = events.await(BrokerEvent.Ended.class);
      assertThat(ended.status()).isEqualTo(128 + 9);
      assertThat(service.guests().getFirst().devices()).isEmpty();
      service.grant(edu, "other");
    }
  }

  @Test
  void oneThatFailsIsRunAgain() throws Exception {
    String more = "restart: on-failure" + withoutWhatIsMissing();
    try (BrokerService service = start("exit 3", more, HOSTILE)) {
      long first = events.await(BrokerEvent.Started.class).process();
      assertThat(events.await(BrokerEvent.Ended.class).status()).isEqualTo(3);
      long second = events.await(BrokerEvent.Started.class).process();
      assertThat(second).isNotEqualTo(first);
      assertThat(events.await(BrokerEvent.Ended.class).process()).isEqualTo(second);
      assertThat(service.revoke(edu, Duration.ZERO)).isEqualTo("one");
      service.grant(edu, "other");
    }
    assertThat(events).noneMatch(BrokerEvent.Refused.class::isInstance);
  }

  @Test
  void oneWhoseWatchdogHearsNothingIsEndedAndSaysWhereItHangs() throws Exception {
    try (BrokerService _ = start("watched", "watchdog: 2s" + withoutWhatIsMissing(), HOSTILE)) {
      BrokerEvent.Ended ended = events.await(BrokerEvent.Ended.class);
      assertThat(ended.status()).isEqualTo(128 + 9);
      assertThat(ended.reason()).isEqualTo("it gave no sign of life for 2 s");
      assertThat(ended.lastLines())
          .first()
          .as("it said for three seconds that it was alive")
          .isEqualTo("hanging");
      assertThat(ended.lastLines())
          .as("the stack of the thread that hangs")
          .anyMatch(line -> line.startsWith("\tat org.gatun.hostile.HostileGuest.hang("));
    }
  }

  @Test
  void whatIsLeftOfOneThatFailedIsKept() throws Exception {
    try (BrokerService _ = start("config, exit 3")) {
      Path kept = events.await(BrokerEvent.Kept.class).folder();
      assertThat(kept).hasParent(folder.resolve("state/post-mortem/one"));
      assertThat(Files.readAllLines(kept.resolve("output.txt")))
          .contains("guest: one", "device: " + edu, "status: 3", "[config] unchanged");
      List<RecordedEvent> recorded = RecordingFile.readAllEvents(kept.resolve("recording.jfr"));
      assertThat(recorded).allMatch(event -> event.getString("guest").equals("one"));
      assertThat(recorded)
          .extracting(event -> event.getEventType().getName())
          .contains("org.gatun.Grant", "org.gatun.DeniedAccess", "org.gatun.Revocation");
      assertThat(Files.getPosixFilePermissions(kept))
          .isEqualTo(PosixFilePermissions.fromString("rwx------"));
    }
  }

  @Test
  void whoeverWatchesHearsTheLastOfALongOutputOnly() throws Exception {
    try (BrokerService _ = start("output 100, exit 3")) {
      List<String> told = events.await(BrokerEvent.Ended.class).lastLines();
      assertThat(String.join("", told)).hasSizeBetween(31 << 10, 32 << 10);
      assertThat(told.getLast()).isEqualTo("[output 100] printed 100");
      assertThat(told.getFirst()).startsWith("line 68 ");
      assertThat(
              Files.readAllLines(
                  events.await(BrokerEvent.Kept.class).folder().resolve("output.txt")))
          .anyMatch(line -> line.startsWith("line 0 "));
    }
  }

  @Test
  void ofOneThatEndsWellNothingIsKept() throws Exception {
    try (BrokerService _ = start("exit 0")) {
      events.await(BrokerEvent.Ended.class);
    }
    assertThat(folder.resolve("state/post-mortem")).doesNotExist();
  }

  @Test
  void oneThatSucceedsIsDone() throws Exception {
    String more = "restart: on-failure" + withoutWhatIsMissing();
    try (BrokerService service = start("exit 0", more, HOSTILE)) {
      events.await(BrokerEvent.Ended.class);
      Thread.sleep(1500); // longer than the first pause
      assertThat(events).noneMatch(BrokerEvent.Started.class::isInstance);
      assertThatThrownBy(() -> service.revoke(edu, Duration.ZERO))
          .isInstanceOf(GrantRefusedException.class);
    }
  }

  @Test
  void oneThatDoesNotStartIsRefusedSayingWhyAndTheBrokerGoesOn() throws Exception {
    try (BrokerService service = start("edu", "", "org.gatun.missing")) {
      BrokerEvent.Refused refused = events.await(BrokerEvent.Refused.class);
      assertThat(refused.guest()).isEqualTo("one");
      assertThat(refused.reason()).contains("org.gatun.missing").doesNotContain("\n");
      Path kept = events.await(BrokerEvent.Kept.class).folder();
      assertThat(Files.readString(kept.resolve("output.txt"))).contains("org.gatun.missing");
      assertThatThrownBy(() -> service.startGuest("one"))
          .isInstanceOf(GrantRefusedException.class)
          .hasMessageContaining("org.gatun.missing");
      assertThat(service.guests().getFirst().devices()).isEmpty();
      service.grant(edu, "other");
    }
  }

  @Test
  void oneThatDoesNotStartIsStartedAgain() throws Exception {
    String more = "restart: on-failure" + withoutWhatIsMissing();
    try (BrokerService service = start("edu", more, "org.gatun.missing")) {
      events.await(BrokerEvent.Refused.class);
      events.await(BrokerEvent.Refused.class);
      assertThat(service.revoke(edu, Duration.ZERO)).isEqualTo("one");
      service.grant(edu, "other");
    }
  }

  @Test
  void oneThatHangsInItsStartKeepsNobodyWaiting() throws Exception {
    try (BrokerService service = start("never-attached")) {
      service.grant(nvme, "other");
      service.revoke(nvme, Duration.ZERO);
      while (service.devices().getFirst().guest().isEmpty()) {
        Thread.sleep(10);
      }
      assertThat(service.revoke(edu, Duration.ZERO)).isEqualTo("one");
      assertThat(service.guests().getFirst().devices()).isEmpty();
      service.grant(edu, "other");
    }
    assertThat(events).noneMatch(BrokerEvent.Started.class::isInstance);
  }

  @Test
  void oneThatIsGrantedWhatItHasIsStillRunAgain() throws Exception {
    String more = "restart: on-failure" + withoutWhatIsMissing();
    try (BrokerService service = start("stay", more, HOSTILE)) {
      long process = events.await(BrokerEvent.Started.class).process();
      assertThatThrownBy(() -> service.grant(edu, "one"))
          .isInstanceOf(GrantRefusedException.class)
          .hasMessageContaining("has it already");
      ProcessHandle.of(process).orElseThrow().destroyForcibly();
      assertThat(events.await(BrokerEvent.Started.class).process()).isNotEqualTo(process);
    }
  }

  @Test
  void aJdkWhoseSettingsAreElsewhereStartsGuests() throws Exception {
    Path home = Path.of(System.getProperty("java.home"));
    Path copy = Files.createDirectories(folder.resolve("jdk"));
    List<String> command = new ArrayList<>(List.of("cp", "-a", "--target-directory=" + copy));
    for (String part : List.of("bin", "conf", "lib", "release")) {
      command.add(home.resolve(part).toString());
    }
    assertThat(new ProcessBuilder(command).inheritIO().start().waitFor()).isZero();
    Path settings = Files.createDirectories(folder.resolve("etc"));
    for (String part : List.of("conf", "lib/jvm.cfg")) {
      Path moved = settings.resolve(Path.of(part).getFileName());
      Files.move(copy.resolve(part), moved);
      Files.createSymbolicLink(copy.resolve(part), moved);
    }
    System.setProperty("java.home", copy.toString());
    try (BrokerService _ = start("edu")) {
      events.await(BrokerEvent.Started.class);
    } finally {
      System.setProperty("java.home", home.toString());
    }
  }

  @Test
  void aLockThatIsMissingEndsTheStart() throws Exception {
    assumeTrue(Landlock.version() == 0, "this kernel has all locks");
    try (BrokerService _ = start("edu", "", HOSTILE)) {
      assertThat(events.await(BrokerEvent.Refused.class).reason())
          .contains("the lock 'landlock' is not available");
    }
  }

  @Test
  void aRootOfItsOwnIsAllThatIsThere() throws Exception {
    Path root = Files.createDirectories(folder.resolve("root"));
    Files.writeString(Files.createDirectories(root.resolve("srv")).resolve("note"), "x");
    for (String library : List.of("lib", "lib64")) {
      Files.createSymbolicLink(root.resolve(library), Path.of("usr", library));
    }
    Path usr = Files.createDirectories(root.resolve("usr"));
    copyLibraries(usr);
    String more = "root: '%s'%s".formatted(root, withoutWhatIsMissing());
    try (BrokerService _ = start("read /srv/note, list /usr", more, HOSTILE)) {
      assertThat(events.await(BrokerEvent.Ended.class).lastLines())
          .containsExactly("[read /srv/note] read 1", "[list /usr] found [lib, lib64]");
    }
  }

  /** What a JVM is linked with, found as the loader of this one found it. */
  private static void copyLibraries(Path usr) throws IOException {
    List<String> libraries =
        Files.readAllLines(Path.of("/proc/self/maps")).stream()
            .map(line -> line.substring(line.lastIndexOf(' ') + 1))
            .filter(path -> path.startsWith("/usr/lib/") && !path.contains("/jvm/"))
            .distinct()
            .toList();
    for (String library : libraries) {
      Path copy = usr.resolve(Path.of("/usr").relativize(Path.of(library)));
      Files.createDirectories(copy.getParent());
      Files.copy(Path.of(library), copy);
    }
    Path interpreter = Path.of("/lib64/ld-linux-x86-64.so.2");
    Files.createDirectories(usr.resolve("lib64"));
    Files.createSymbolicLink(
        usr.resolve("lib64").resolve(interpreter.getFileName()),
        Path.of("..").resolve(Path.of("/usr").relativize(interpreter.toRealPath())));
  }
}
