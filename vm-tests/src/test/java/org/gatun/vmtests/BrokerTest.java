package org.gatun.vmtests;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
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
 * The broker on devices through VFIO: guests are kept from each other, and devices are had back.
 * The system properties {@code gatun.revocations} and {@code gatun.seed} say how often a device is
 * taken in the middle of I/O, and when.
 */
class BrokerTest {
  private static final long DISK_SIZE = 64 << 20;
  private static final int DEFAULT_REVOCATIONS = 2;

  @TestFactory
  Stream<DynamicNode> grantsThroughVfio() throws Exception {
    int revocations = Integer.getInteger(RevocationInVm.REVOCATIONS, DEFAULT_REVOCATIONS);
    long seed = Long.getLong(RevocationInVm.SEED, ThreadLocalRandom.current().nextInt());
    System.out.printf("broker: -Dgatun.revocations=%d -Dgatun.seed=%d%n", revocations, seed);
    VmRun run = VmRun.named("broker");
    Path image = DiskImage.blank(run.directory().resolve("disk.img"), DISK_SIZE);
    write(image, new DiskPattern(seed));
    return run.device(new Edu("attacker", Place.ROOT_PORT))
        .device(new Edu("victim", Place.ROOT_PORT))
        .device(new Edu("edu", Place.ROOT_PORT))
        .device(new Edu("root-bus-edu", Place.ROOT_BUS))
        .device(new Nvme("disk", Place.ROOT_PORT, List.of(new Namespace(image, 512))))
        .property(RevocationInVm.REVOCATIONS, String.valueOf(revocations))
        .property(RevocationInVm.SEED, String.valueOf(seed))
        .tests(
            TwoGuestsInVm.class,
            WantedBackInVm.class,
            BrokerCommandInVm.class,
            RevocationInVm.class)
        .limit(Duration.ofMinutes(5).plusMinutes(revocations))
        .run();
  }

  private static void write(Path image, DiskPattern pattern) throws IOException {
    try (FileChannel file = FileChannel.open(image, StandardOpenOption.WRITE)) {
      for (long offset = 0; offset < RevocationInVm.KEPT; offset += DiskPattern.CHUNK) {
        file.write(ByteBuffer.wrap(pattern.at(offset)), offset);
      }
    }
  }
}
