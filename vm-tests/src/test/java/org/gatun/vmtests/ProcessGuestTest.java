package org.gatun.vmtests;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;
import org.gatun.vmtests.machine.DiskImage;
import org.gatun.vmtests.machine.TestDevice.Edu;
import org.gatun.vmtests.machine.TestDevice.Namespace;
import org.gatun.vmtests.machine.TestDevice.Nvme;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/**
 * Guests in processes of their own, with devices through VFIO. The system properties {@code
 * gatun.kills} and {@code gatun.seed} say how often a guest is killed in the middle of I/O, and
 * when.
 */
class ProcessGuestTest {
  private static final long DISK_SIZE = 64 << 20;
  private static final int DEFAULT_KILLS = 1;

  @TestFactory
  Stream<DynamicNode> guestsInProcesses() throws Exception {
    int kills = Integer.getInteger(ProcessGuestInVm.KILLS, DEFAULT_KILLS);
    long seed = Long.getLong(ProcessGuestInVm.SEED, ThreadLocalRandom.current().nextInt());
    System.out.printf("process guests: -Dgatun.kills=%d -Dgatun.seed=%d%n", kills, seed);
    VmRun run = VmRun.named("process-guests");
    Path image = DiskImage.blank(run.directory().resolve("disk.img"), DISK_SIZE);
    return run.device(new Edu("edu", Place.ROOT_PORT))
        .device(new Nvme("disk", Place.ROOT_PORT, List.of(new Namespace(image, 512))))
        .property(ProcessGuestInVm.KILLS, String.valueOf(kills))
        .property(ProcessGuestInVm.SEED, String.valueOf(seed))
        .tests(ProcessGuestInVm.class)
        .limit(Duration.ofMinutes(8).plusMinutes(2L * kills))
        .run();
  }
}
