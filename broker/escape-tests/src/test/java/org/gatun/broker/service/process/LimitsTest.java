package org.gatun.broker.service.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.config.GuestProgram;
import org.gatun.broker.config.GuestProgram.Limits;
import org.gatun.pci.DeviceName;
import org.gatun.simulated.SimulatedBus;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a guest's process may use, and the control group that it is in. */
@Timeout(120)
class LimitsTest {
  private static final long DMA = 4L << 20;

  private final SimulatedBus bus = SimulatedBus.realTime();

  @TempDir private Path folder;
  private GuestRun guests;
  private DeviceName edu;

  @BeforeEach
  void start() throws IOException {
    assumeTrue(
        Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0),
        "a guest's locks need root: run the tests as root");
    guests = new GuestRun(folder, bus);
    edu = plug("edu");
  }

  private DeviceName plug(String model) {
    DeviceName device = bus.plug(model);
    guests.seize(device);
    return device;
  }

  private GuestProcess start(DeviceName device, GuestProgram program) throws IOException {
    return guests.start(DeviceRequest.of(device), DMA, program);
  }

  private GuestProcess.End run(GuestProgram program) throws Exception {
    return guests.awaitEnd(start(edu, program));
  }

  @AfterEach
  void stop() {
    if (guests != null) {
      guests.close();
    }
    bus.close();
  }

  /** The folder of the group that a process is in, in the hierarchy that the broker uses. */
  private Path groupOf(GuestProcess process) throws IOException {
    Optional<Path> all = guests.groups();
    assumeTrue(all.isPresent(), "there is no cgroup v2 here that this user may write to");
    Path group = all.orElseThrow().resolve(process.guest() + "-0");
    assertThat(Files.readAllLines(group.resolve("cgroup.procs")))
        .containsExactly(Long.toString(process.pid()));
    return group;
  }

  @Test
  void aProcessIsInAGroupOfItsOwnByWhichItIsEnded() throws Exception {
    GuestProcess process = start(edu, GuestRun.program("stay"));
    Path group = groupOf(process);
    Files.writeString(group.resolve("cgroup.kill"), "1");
    assertThat(guests.awaitEnd(process).status()).isEqualTo(128 + 9);
    assertThat(group).doesNotExist();
  }

  @Test
  void noGroupIsLeft() throws Exception {
    GuestProcess process = start(edu, GuestRun.program("stay"));
    Path group = groupOf(process);
    process.end("the test ends");
    guests.awaitEnd(process);
    guests.close();
    assertThat(group.getParent()).doesNotExist();
    assertThat(Files.readString(folder.resolve("processes"))).isEmpty();
  }

  @Test
  void whatAFormerBrokerLeftInItsGroupIsEnded() throws Exception {
    GuestProcess guest = start(edu, GuestRun.program("stay"));
    Path group = groupOf(guest);
    Path left = Files.createDirectories(group.resolveSibling("left-1"));
    Process process = new ProcessBuilder("sleep", "1000").start();
    try {
      Files.writeString(left.resolve("cgroup.procs"), Long.toString(process.pid()));
      Path journal = Files.writeString(folder.resolve("other"), "group " + group.getParent());
      ProcessJournal.open(journal);
      assertThat(process.waitFor()).isEqualTo(128 + 9);
      assertThat(guests.awaitEnd(guest).status()).isEqualTo(128 + 9);
      assertThat(group.getParent()).doesNotExist();
      assertThat(Files.readString(journal)).isEmpty();
    } finally {
      process.destroyForcibly();
    }
  }

  @Test
  void aFolderThatIsNoneOfOursIsLeftAlone() throws Exception {
    Path other = Files.createDirectories(folder.resolve("other-folder"));
    Path kill = Files.writeString(other.resolve("cgroup.kill"), "");
    ProcessJournal.open(Files.writeString(folder.resolve("other"), "group " + other));
    assertThat(kill).isEmptyFile();
  }

  @Test
  void aLimitThatCannotBeHeldEndsTheStart() {
    assumeFalse(guests.launcher().groups().limitMemory(), "there is a cgroup v2 with controllers");
    assertThatThrownBy(
            () ->
                start(
                    edu,
                    GuestRun.program(
                        new Limits(
                            OptionalDouble.of(0.5), OptionalLong.empty(), OptionalInt.empty()))))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(
            "guest hostile did not start: the limit 'cpu' is not available: no cgroup v2 with the"
                + " cpu controller here (");
    assertThatThrownBy(
            () ->
                start(
                    plug("nvme,size=1M"),
                    GuestRun.program(
                        new Limits(
                            OptionalDouble.empty(),
                            OptionalLong.of(512 << 20),
                            OptionalInt.empty()))))
        .hasMessageContaining("the limit 'memory' is not available");
  }

  @Test
  void threadsAreLimitedWithoutAControllerToo() throws Exception {
    Limits limits = new Limits(OptionalDouble.empty(), OptionalLong.empty(), OptionalInt.of(64));
    GuestProcess.End end = run(GuestRun.program(limits, "threads"));
    assertThat(end.lastLines())
        .anySatisfy(line -> assertThat(line).matches("\\[threads\\] got \\d{1,2}, then .*"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"native-memory 4096", "direct-memory"})
  void memoryPastTheHeapIsLimited(String attempt) throws Exception {
    GuestProgram program = GuestRun.program(attempt);
    GuestProcess.End end = run(program);
    if (guests.launcher().groups().limitMemory()) {
      assertThat(end.status()).as(end.toString()).isEqualTo(128 + 9);
      assertThat(end.reason()).isEqualTo("it ran out of memory: its limit is 416 MiB");
    } else {
      Matcher got = Pattern.compile("got (\\d+) MiB").matcher(String.join("\n", end.lastLines()));
      assertThat(got.find()).as(end.toString()).isTrue();
      assertThat(Integer.parseInt(got.group(1)))
          .isGreaterThan(100)
          .isLessThan((int) (program.memoryBytes() >> 20));
    }
  }

  @Test
  void memoryThatNoLimitCountsIsRefused() throws Exception {
    // MAP_SHARED | MAP_ANONYMOUS; MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN; without that.
    GuestProgram program = GuestRun.program("mmap 0x21", "mmap 0x23", "mmap 0x122", "mmap 0x22");
    assertThat(run(program).lastLines())
        .satisfiesExactly(
            shared -> assertThat(shared).endsWith("result -1"),
            validated -> assertThat(validated).endsWith("result -1"),
            growing -> assertThat(growing).endsWith("result -1"),
            plain -> assertThat(plain).matches(".*result \\d+"));
  }

  @Test
  void oneWhoseHeapIsFullSaysSo() throws Exception {
    assertThat(run(GuestRun.program("memory")).reason())
        .isEqualTo("it ran out of memory: its heap has 32 MiB");
  }
}
