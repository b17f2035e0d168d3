package org.gatun.vmtests;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;
import org.gatun.vmtests.machine.DiskImage;
import org.gatun.vmtests.machine.TestDevice.FailingNvme;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/**
 * Random I/O on QEMU's NVMe disk, of which some fails and which is pulled out in the middle, and
 * each byte is accounted for. The system properties {@code gatun.ios} and {@code gatun.seed} say
 * how much, and which.
 */
class DiskIntegrityTest {
  private static final int DEFAULT_IOS = 4_000;

  /** The I/Os after which the same ones fail again. */
  private static final int STATES = 512;

  /** Of so many I/Os one fails, about. */
  private static final int FAILING = 64;

  /** A sector that no disk has. */
  private static final long NOWHERE = 1L << 40;

  @TestFactory
  Stream<DynamicNode> everyByteIsAccountedFor() throws Exception {
    int ios = Integer.getInteger(DiskIntegrityInVm.IOS, DEFAULT_IOS);
    long seed = Long.getLong(DiskIntegrityInVm.SEED, ThreadLocalRandom.current().nextInt());
    System.out.printf("integrity: -Dgatun.ios=%d -Dgatun.seed=%d%n", ios, seed);
    VmRun run = VmRun.named("disk-integrity").hotPlug();
    Path image = DiskImage.blank(run.directory().resolve("disk.img"), DiskIntegrityInVm.SIZE);
    Path errors = run.directory().resolve("errors.blkdebug");
    Files.writeString(errors, errors(new Random(seed)));
    return run.device(new FailingNvme("disk", image, DiskIntegrityInVm.BLOCK_SIZE, errors))
        .property(DiskIntegrityInVm.IOS, String.valueOf(ios))
        .property(DiskIntegrityInVm.SEED, String.valueOf(seed))
        .tests(DiskIntegrityInVm.class)
        .limit(Duration.ofMinutes(10).plusSeconds(ios / 50))
        .run();
  }

  /**
   * Each read and write takes QEMU to the next state, and in some it fails. An error that was
   * injected once stays until the next is, so each I/O injects one that hits nothing.
   */
  private static String errors(Random random) {
    StringBuilder text = new StringBuilder();
    for (String what : new String[] {"read", "write"}) {
      String event = "event = \"" + what + "_aio\"\n";
      text.append("[inject-error]\n").append(event).append("sector = \"" + NOWHERE + "\"\n");
      for (int state = 1; state <= STATES; state++) {
        text.append("[set-state]\n").append(event);
        text.append("state = \"%d\"\nnew_state = \"%d\"\n".formatted(state, state % STATES + 1));
        if (random.nextInt(FAILING) == 0) {
          text.append("[inject-error]\n").append(event);
          text.append("state = \"%d\"\niotype = \"%s\"\nerrno = \"5\"\n".formatted(state, what));
        }
      }
    }
    return text.toString();
  }
}
