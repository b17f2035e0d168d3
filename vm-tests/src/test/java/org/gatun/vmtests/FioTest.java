package org.gatun.vmtests;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.gatun.vmtests.machine.DiskImage;
import org.gatun.vmtests.machine.TestDevice.Namespace;
import org.gatun.vmtests.machine.TestDevice.Nvme;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/**
 * The driver beside fio on Linux's own. The system properties {@code gatun.reads} and {@code
 * gatun.runs} say how many reads each does, and how often.
 */
class FioTest {
  private static final long DISK_SIZE = 64 << 20;
  private static final int DEFAULT_READS = 2_000;
  private static final int DEFAULT_RUNS = 1;

  /** More than it ever took, on a busy machine. */
  private static final int READS_A_SECOND = 200;

  /** By two engines of fio and in two ways of the driver's, which has half as many before. */
  private static final int PASSES = 5;

  @TestFactory
  Stream<DynamicNode> besideFio() throws Exception {
    VmRun.requireProgram(System.getenv(), "fio", "apt-get install fio");
    int reads = Integer.getInteger(FioInVm.READS, DEFAULT_READS);
    int runs = Integer.getInteger(FioInVm.RUNS, DEFAULT_RUNS);
    VmRun run = VmRun.named("fio");
    Path image = DiskImage.blank(run.directory().resolve("disk.img"), DISK_SIZE);
    NvmeFigures.forget(run);
    Stream<DynamicNode> results =
        run.device(new Nvme("disk", Place.ROOT_PORT, List.of(new Namespace(image, 512))))
            .property(FioInVm.READS, String.valueOf(reads))
            .property(FioInVm.RUNS, String.valueOf(runs))
            .tests(FioInVm.class)
            .limit(
                Duration.ofMinutes(10L + 5L * runs)
                    .plusSeconds(
                        (long) runs * FioInVm.DEPTHS.size() * PASSES * reads / READS_A_SECOND))
            .run();
    NvmeFigures.keep(run, "fio-vm");
    return results;
  }
}
