package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.gatun.vmtests.machine.Boot;
import org.gatun.vmtests.machine.Boot.End;
import org.gatun.vmtests.machine.DiskImage;
import org.gatun.vmtests.machine.TestDevice.Namespace;
import org.gatun.vmtests.machine.TestDevice.Nvme;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.gatun.vmtests.machine.VirtualMachine;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.opentest4j.TestAbortedException;

/** What happens inside is what the outer run reports, above all what goes wrong. */
class VmRunTest {
  private static final Duration LIMIT = Duration.ofMinutes(2);

  @TempDir Path files;

  @TestFactory
  Stream<DynamicNode> passesOnWhatTestsNeed() throws Exception {
    Files.writeString(files.resolve("hello"), "from the host");
    VmRun run = VmRun.named("good");
    Path image = DiskImage.ext4(run.directory().resolve("disk.img"), 32L << 20, files);
    Stream<DynamicNode> results =
        run.device(new Nvme("disk", Place.ROOT_PORT, List.of(new Namespace(image, 512))))
            .property("colour", "green \"and\" blue")
            .tests(BehaviourInVm.Good.class)
            .run();
    return Stream.concat(
        results,
        Stream.of(
            DynamicTest.dynamicTest(
                "the host sees what was written inside, and only where it should",
                () -> {
                  assertThat(run.share().resolve("written")).hasContent("kept");
                  assertThat(Path.of("/etc/written-inside")).doesNotExist();
                  assertThat(DiskImage.readExt4(image, "answer")).isEqualTo("from inside");
                })));
  }

  @Test
  void reportsEachResultWithItsReason() throws Exception {
    Map<String, String> results =
        results(
            VmRun.named("mixed").tests(BehaviourInVm.Mixed.class, BehaviourInVm.BrokenSetUp.class));

    assertThat(results.get("the machine ended orderly")).isEqualTo("passed");
    assertThat(results.get("passes()")).isEqualTo("passed");
    assertThat(results.get("fails()"))
        .startsWith("failed")
        .contains("IllegalStateException: outer words")
        .contains("inner words\nin two lines")
        .contains("at org.gatun.vmtests.BehaviourInVm$Mixed.fails(BehaviourInVm.java:");
    assertThat(results.get("aborts()")).startsWith("skipped").contains("no such device");
    assertThat(results.get("isDisabled()")).startsWith("skipped").contains("not today");
    assertThat(results.get("the container")).startsWith("failed").contains("set-up broke");
    assertThat(results.get("isNotReached()")).startsWith("skipped");
  }

  @Test
  void reportsAJavaMachineThatEndedAmongTheTests() throws Exception {
    Map<String, String> results =
        results(VmRun.named("halting").tests(BehaviourInVm.Halting.class));

    assertThat(results.get("passesBefore()")).isEqualTo("passed");
    assertThat(results.get("halts()")).startsWith("failed").contains("began and did not end");
    assertThat(results.get("isNotReached()")).startsWith("failed").contains("did not run");
    assertThat(results.get("the machine ended orderly")).startsWith("failed");
  }

  @Test
  void reportsATestThatHangs() throws Exception {
    Map<String, String> results =
        results(
            VmRun.named("hanging")
                .tests(BehaviourInVm.Hanging.class)
                .limit(Duration.ofSeconds(30)));

    assertThat(results.get("the machine ended orderly"))
        .startsWith("failed")
        .contains("time-out", "console.log");
    // On a host that is busy the machine may not have come that far; then the test is not known.
    assertThat(results.getOrDefault("neverEnds()", "failed")).startsWith("failed");
  }

  @Test
  void tellsAPanicFromOtherEnds() throws Exception {
    assertThat(boot("panic", LIMIT, "sh", "-c", "echo c >/proc/sysrq-trigger"))
        .satisfies(
            boot -> {
              assertThat(boot.end()).isEqualTo(End.PANIC);
              assertThat(boot.report()).contains("sysrq triggered crash");
            });
    assertThat(boot("off", LIMIT, "busybox", "poweroff", "-f").end()).isEqualTo(End.EARLY);
    assertThat(boot("status", LIMIT, "sh", "-c", "echo last words; exit 7"))
        .satisfies(
            boot -> {
              assertThat(boot.end()).isEqualTo(End.ORDERLY);
              assertThat(boot.exitStatus()).isEqualTo(7);
              assertThat(boot.successful()).isFalse();
              assertThat(boot.consoleText()).contains("last words");
            });
    assertThat(boot("sleep", Duration.ofSeconds(5), "sleep", "600").end()).isEqualTo(End.TIME_OUT);
  }

  @Test
  void skipsOrFailsWhereTheHostLacksSomething() {
    assertThatThrownBy(() -> VmRun.requireHost(Map.of("PATH", "")))
        .isInstanceOf(TestAbortedException.class)
        .hasMessageContaining("apt-get install");
    assertThatThrownBy(() -> VmRun.requireHost(Map.of("PATH", "", "GATUN_REQUIRE", "jna,vm")))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("apt-get install");
    assertThatThrownBy(() -> VmRun.requireVfioUserHost(Map.of("GATUN_QEMU_ROOT", "/nowhere")))
        .isInstanceOf(TestAbortedException.class)
        .hasMessageContaining("install-qemu-vfio-user");
    assertThatThrownBy(
            () ->
                VmRun.requireVfioUserHost(
                    Map.of("GATUN_QEMU_ROOT", "/nowhere", "GATUN_REQUIRE", "vm")))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("install-qemu-vfio-user");
  }

  private static Boot boot(String name, Duration limit, String... command) throws Exception {
    Path directory = VmRun.named(name).directory();
    return new VirtualMachine(VmRun.requireHost(System.getenv()), directory, List.of())
        .run(List.of(command), limit);
  }

  /** Runs, and then each test of the result as JUnit would; the outcome by the test's name. */
  private static Map<String, String> results(VmRun run) throws Exception {
    Map<String, String> results = new LinkedHashMap<>();
    run.run().forEach(node -> execute(node, results));
    return results;
  }

  private static void execute(DynamicNode node, Map<String, String> results) {
    switch (node) {
      case DynamicContainer container ->
          container.getChildren().forEach(child -> execute(child, results));
      case DynamicTest test -> {
        String result = "passed";
        try {
          test.getExecutable().execute();
        } catch (TestAbortedException e) {
          result = "skipped: " + e.getMessage();
        } catch (Throwable e) {
          result = "failed: " + e.getMessage();
        }
        assertThat(results.put(test.getDisplayName(), result)).isNull();
      }
      default -> throw new AssertionError(node);
    }
  }
}
