package org.gatun.driver.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.ThreadLocalRandom;
import org.gatun.testkit.DeviceRoute;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Random I/O, while things go wrong with the disk that do not change data by themselves, and each
 * byte is accounted for: see {@link IntegrityRun}.
 *
 * <p>{@code -Dgatun.ios} sets the number of I/Os, {@code -Dgatun.seed} the seed.
 */
@Tag(DeviceRoute.VIRTUAL_TIME)
class NvmeIntegrityTest {
  private static final long IOS = Long.getLong("gatun.ios", 20_000);
  private static final int FEW = 3_000;

  @TempDir Path directory;

  @ParameterizedTest
  @ValueSource(ints = {512, 4096})
  void everyByteIsAccountedFor(int blockSize) throws IOException {
    long seed = Long.getLong("gatun.seed", ThreadLocalRandom.current().nextInt());
    System.out.printf("integrity: -Dgatun.ios=%d -Dgatun.seed=%d%n", IOS, seed);
    try (IntegrityRun run = new IntegrityRun(directory, blockSize, seed)) {
      run.run(IOS / 2);
      System.out.printf("integrity, blocks of %d bytes: %s%n", blockSize, run);
      assertThat(run.load().failed()).as("I/Os that faults made fail").isPositive();
      assertThat(run.load().failed()).as("most succeeded").isLessThan(run.load().ended() / 2);
      assertThat(run.pulled()).as("how often it was pulled out").isPositive();
    }
  }

  @Test
  void twiceTheSameSeedIsTwiceTheSameRun() throws IOException {
    long first = digest(1);
    assertThat(digest(1)).isEqualTo(first);
    assertThat(digest(2)).isNotEqualTo(first);
  }

  private long digest(long seed) throws IOException {
    try (IntegrityRun run = new IntegrityRun(directory, 512, seed)) {
      run.run(FEW);
      return run.load().digest();
    }
  }
}
