package org.gatun.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Random;
import java.util.function.Supplier;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.DeviceModel;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * What a driver survives: faults of all kinds, made up by a seed, in virtual time. Each operation
 * ends in success or in a {@link org.gatun.pci.PciException}, within its time; nothing is left
 * open, and no device does DMA for a driver that has let go; and a device that is sound again works
 * again. Twice the same seed is twice the same run: each access, each DMA, each outcome, at the
 * same time.
 *
 * <p>{@code -Dgatun.chaos} sets the number of steps, {@code -Dgatun.seed} the seed.
 */
@Tag(DeviceRoute.VIRTUAL_TIME)
public abstract class ChaosContract {
  private static final int STEPS = Integer.getInteger("gatun.chaos", 3_000);

  /** For those who say which driver, and which device. */
  protected ChaosContract() {}

  /** A driver, and what is known of its device. For one run; one thread. */
  public interface Subject {
    /** The device. */
    DeviceModel model();

    /**
     * Has the driver drive it.
     *
     * @param interrupts whether it waits for interrupts, instead of polling
     */
    void open(PciDevice device, TimeSource time, boolean interrupts);

    /** Something to do with it, chosen by chance. */
    Operation next(Random random);

    /**
     * Uses the device, which is sound, and checks that it works.
     *
     * @param unknown whether it is new, or has flipped bits, so that what it has may be anything
     */
    void prove(boolean unknown);

    /** Has the driver let go. */
    void close();
  }

  /**
   * Something to do.
   *
   * @param name for messages
   * @param action says what came of it; may throw a {@link org.gatun.pci.PciException}, if faults
   *     happen
   * @param after looks at what came of it
   */
  public record Operation(String name, Supplier<String> action, After after) {}

  /** What is known, and to be checked, after an operation. */
  @FunctionalInterface
  public interface After {
    /**
     * Looks at what came of it.
     *
     * @param done whether it succeeded
     * @param corrupt whether the device may have flipped bits
     */
    void accept(boolean done, boolean corrupt);
  }

  /** A driver with its device, closed. */
  protected abstract Subject subject();

  /** How long, in the bus's time, closing or an operation may take. */
  protected abstract Duration limit();

  /** How long opening may take, by default as an operation. */
  protected Duration openingLimit() {
    return limit();
  }

  @Test
  void survivesTwiceInTheSameWay() {
    long seed = Long.getLong("gatun.seed", System.nanoTime());
    System.out.printf(
        "%s: -Dgatun.chaos=%d -Dgatun.seed=%d%n", getClass().getSimpleName(), STEPS, seed);
    String first = run(seed, STEPS);
    assertThat(run(seed, STEPS)).as("seed %d, once more", seed).isEqualTo(first);
  }

  @Test
  void anotherSeedIsAnotherRun() {
    assertThat(run(1, 1_000)).isNotEqualTo(run(2, 1_000));
  }

  /** Returns its digest. */
  private String run(long seed, int steps) {
    try (ChaosRun run = new ChaosRun(subject(), limit(), openingLimit(), seed)) {
      run.steps(steps);
      String digest = run.digest();
      System.out.printf("%s: %s, digest %.16s%n", getClass().getSimpleName(), run, digest);
      assertThat(run.failures()).as("operations that faults made fail").isPositive();
      assertThat(run.successes()).as("operations that succeeded").isPositive();
      return digest;
    }
  }
}
