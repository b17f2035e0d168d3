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
 * What I/O of a guest in a process of its own costs. The system properties {@code gatun.reads} and
 * {@code gatun.runs} say how many reads a guest does, and how often that is compared with the same
 * without a broker.
 */
class GuestIoTest {
  private static final long DISK_SIZE = 64 << 20;
  private static final int DEFAULT_READS = 20_000;
  private static final int DEFAULT_RUNS = 1;

  /** More than it ever took, on a busy machine. */
  private static final int READS_A_SECOND = 500;

  @TestFactory
  Stream<DynamicNode> guestsIo() throws Exception {
    int reads = Integer.getInteger(GuestIoInVm.READS, DEFAULT_READS);
    int runs = Integer.getInteger(GuestIoInVm.RUNS, DEFAULT_RUNS);
    GatunCommand.archiveClasses();
    VmRun run = VmRun.named("guest-io");
    Path image = DiskImage.blank(run.directory().resolve("disk.img"), DISK_SIZE);
    NvmeFigures.forget(run);
    Stream<DynamicNode> results =
        run.device(new Nvme("disk", Place.ROOT_PORT, List.of(new Namespace(image, 512))))
            .property(GuestIoInVm.READS, String.valueOf(reads))
            .property(GuestIoInVm.RUNS, String.valueOf(runs))
            .tests(GuestIoInVm.class)
            .limit(
                Duration.ofMinutes(15L + 5L * runs)
                    .plusSeconds((1 + 2L * runs) * reads * 3 / 2 / READS_A_SECOND))
            .run();
    NvmeFigures.keep(run, "layers-vm");
    return results;
  }
}
