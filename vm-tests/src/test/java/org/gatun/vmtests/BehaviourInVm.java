package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.regex.Pattern;
import org.gatun.vmtests.inside.Command;
import org.gatun.vmtests.inside.Inside;
import org.gatun.vmtests.inside.KernelLog;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Disabled;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

/** Test classes that behave well or badly, for {@link VmRunTest}. */
final class BehaviourInVm {
  private BehaviourInVm() {}

  @InVm
  static class Good {
    @Test
    void seesAPropertyOfTheOuterTest() {
      assertThat(Inside.property("colour")).isEqualTo("green \"and\" blue");
    }

    @Test
    void writesWhereItLikesAndIntoTheShare() throws Exception {
      Files.writeString(Path.of("/etc/written-inside"), "gone with the machine");
      Files.writeString(Inside.share().resolve("written"), "kept");
    }

    @Test
    void mountsAnExt4FileSystemThatTheHostMade() throws Exception {
      Command.run("modprobe", "nvme").expectSuccess();
      Inside.await(Path.of("/dev/nvme0n1"), Duration.ofSeconds(30));
      Path mountPoint = Files.createTempDirectory("disk");
      Command.run("mount", "/dev/nvme0n1", mountPoint.toString()).expectSuccess();
      assertThat(mountPoint.resolve("hello")).hasContent("from the host");
      Files.writeString(mountPoint.resolve("answer"), "from inside");
      Command.run("umount", mountPoint.toString()).expectSuccess();
    }

    @Test
    void seesTheKernelsLogSinceAMark() throws Exception {
      Files.writeString(Path.of("/dev/kmsg"), "before the mark\n");
      KernelLog log = KernelLog.mark();
      Files.writeString(Path.of("/dev/kmsg"), "after the mark\n");

      log.await(Pattern.compile("after the mark"), Duration.ofSeconds(10));
      assertThat(log.find(Pattern.compile("before the mark"))).isEmpty();
    }
  }

  @InVm
  static class Mixed {
    @Test
    void passes() {}

    @Test
    void fails() {
      throw new IllegalStateException(
          "outer words", new AssertionError("inner words\nin two lines"));
    }

    @Test
    void aborts() {
      assumeTrue(false, "no such device");
    }

    @Test
    @Disabled("not today")
    void isDisabled() {}
  }

  @InVm
  static class BrokenSetUp {
    @BeforeAll
    static void breaks() {
      assertThat(Inside.isInside()).as("set-up broke").isFalse();
    }

    @Test
    void isNotReached() {}
  }

  @InVm
  @TestMethodOrder(MethodOrderer.OrderAnnotation.class)
  static class Halting {
    @Test
    @Order(1)
    void passesBefore() {}

    @Test
    @Order(2)
    void halts() {
      // With status 0: the worst case, which looks like an orderly end.
      Runtime.getRuntime().halt(0);
    }

    @Test
    @Order(3)
    void isNotReached() {}
  }

  @InVm
  static class Hanging {
    @Test
    void neverEnds() throws InterruptedException {
      new CountDownLatch(1).await();
    }
  }
}
