package org.gatun.vmtests;

import java.io.IOException;
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
 * SIGKILL of the broker while its guests do I/O through VFIO, and the next one takes over. The
 * system properties {@code gatun.kills} and {@code gatun.seed} say how often, and when.
 */
class BrokerKillsTest {
  private static final long DISK_SIZE = 64 << 20;
  private static final int DEFAULT_KILLS = 2;

  @TestFactory
  Stream<DynamicNode> brokerKills() throws Exception {
    int kills = Integer.getInteger(BrokerKillsInVm.KILLS, DEFAULT_KILLS);
    long seed = Long.getLong(BrokerKillsInVm.SEED, ThreadLocalRandom.current().nextInt());
    System.out.printf("broker kills: -Dgatun.kills=%d -Dgatun.seed=%d%n", kills, seed);
    GatunCommand.archiveClasses();
    VmRun run = VmRun.named("broker-kills");
    for (String disk : BrokerKillsInVm.DISKS) {
      run.device(new Nvme(disk, Place.ROOT_PORT, List.of(namespace(run, disk))));
    }
    return run.property(BrokerKillsInVm.KILLS, String.valueOf(kills))
        .property(BrokerKillsInVm.SEED, String.valueOf(seed))
        .tests(BrokerKillsInVm.class)
        .limit(Duration.ofMinutes(15).plusMinutes(8L * kills))
        .run();
  }

  private static Namespace namespace(VmRun run, String disk) throws IOException {
    return new Namespace(DiskImage.blank(run.directory().resolve(disk + ".img"), DISK_SIZE), 512);
  }
}
