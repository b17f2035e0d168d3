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
 * SIGKILL of {@code gatun bind} and {@code gatun unbind}, and the next ones work. The system
 * properties {@code gatun.kills} and {@code gatun.seed} say how often, and when.
 */
class BindKillsTest {
  private static final int DEFAULT_KILLS = 2;

  @TestFactory
  Stream<DynamicNode> killsOfBindAndUnbind() throws Exception {
    int kills = Integer.getInteger(KillDuringIoInVm.KILLS, DEFAULT_KILLS);
    long seed = Long.getLong(KillDuringIoInVm.SEED, ThreadLocalRandom.current().nextInt());
    System.out.printf("bind kills: -Dgatun.kills=%d -Dgatun.seed=%d%n", kills, seed);
    GatunCommand.archiveClasses();
    VmRun run = VmRun.named("bind-kills");
    Namespace namespace =
        new Namespace(DiskImage.blank(run.directory().resolve("disk.img"), 1 << 20), 512);
    return run.device(new Nvme("disk", Place.ROOT_PORT, List.of(namespace)))
        .property(KillDuringIoInVm.KILLS, String.valueOf(kills))
        .property(KillDuringIoInVm.SEED, String.valueOf(seed))
        .tests(BindKillsInVm.class)
        .limit(Duration.ofMinutes(5).plusMinutes(kills))
        .run();
  }
}
