package org.gatun.vmtests;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;
import org.gatun.vmtests.machine.DiskImage;
import org.gatun.vmtests.machine.TestDevice.Namespace;
import org.gatun.vmtests.machine.TestDevice.Nvme;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/**
 * SIGKILL in the middle of NVMe I/O, and the next start works. The system properties {@code
 * gatun.kills} and {@code gatun.seed} say how often, and when.
 */
class KillDuringIoTest {
  static final long DISK_SIZE = 64 << 20;

  private static final int DEFAULT_KILLS = 2;

  @TestFactory
  Stream<DynamicNode> killsDuringIo() throws Exception {
    int kills = Integer.getInteger(KillDuringIoInVm.KILLS, DEFAULT_KILLS);
    long seed = Long.getLong(KillDuringIoInVm.SEED, ThreadLocalRandom.current().nextInt());
    System.out.printf("kills: -Dgatun.kills=%d -Dgatun.seed=%d%n", kills, seed);
    VmRun run = VmRun.named("kills");
    return run.device(
            new Nvme(
                "disk",
                Place.ROOT_PORT,
                List.of(
                    new Namespace(
                        DiskImage.blank(run.directory().resolve("disk.img"), DISK_SIZE), 512))))
        .property(KillDuringIoInVm.KILLS, String.valueOf(kills))
        .property(KillDuringIoInVm.SEED, String.valueOf(seed))
        .tests(KillDuringIoInVm.class)
        .limit(Duration.ofMinutes(5).plusMinutes(kills))
        .run();
  }
}
