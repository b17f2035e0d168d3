package org.gatun.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.DeviceModel;
import org.junit.jupiter.api.Test;

/**
 * What a driver of a disk survives: faults of all kinds, made up by a seed, in virtual time. Each
 * operation ends in success or in a {@link org.gatun.pci.PciException}, within its time; nothing is
 * left open; and, unless the device itself has corrupted data, what was written is there.
 *
 * <p>{@code -Dgatun.chaos} sets the number of steps, {@code -Dgatun.seed} the seed.
 */
public abstract class DiskChaosContract {
  private static final int STEPS = Integer.getInteger("gatun.chaos", 3_000);
  private static final int STEPS_TWICE = Math.min(STEPS, 50_000);

  /** For those who say which driver, and which disk. */
  protected DiskChaosContract() {}

  /** Reads or writes. */
  @FunctionalInterface
  public interface Transfer {
    /** Moves whole blocks of 512 bytes. */
    void move(long offset, DmaBuffer buffer, int bufferOffset, int length);
  }

  /**
   * A disk, as its driver has it.
   *
   * @param flush has what was written stay
   */
  public record Disk(Transfer read, Transfer write, Runnable flush, Runnable close) {}

  /**
   * The disk.
   *
   * @param bytes its size, in memory, with blocks of 512 bytes
   */
  protected abstract DeviceModel model(long bytes);

  /**
   * Has a driver drive it.
   *
   * @param interrupts whether it waits for interrupts, instead of polling
   */
  protected abstract Disk open(PciDevice device, TimeSource time, boolean interrupts);

  /** How long, in the bus's time, opening, closing, or an operation may take. */
  protected abstract Duration limit();

  @Test
  void survives() {
    long seed = Long.getLong("gatun.seed", System.nanoTime());
    System.out.printf(
        "%s: -Dgatun.chaos=%d -Dgatun.seed=%d%n", getClass().getSimpleName(), STEPS, seed);
    try (DiskChaos run = new DiskChaos(this, seed)) {
      run.steps(STEPS);
      System.out.println(getClass().getSimpleName() + ": " + run);
      assertThat(run.failures()).as("operations that faults made fail").isPositive();
      assertThat(run.successes()).as("operations that succeeded").isPositive();
    }
  }

  @Test
  void isTheSameTwice() {
    long seed = Long.getLong("gatun.seed", 1);
    assertThat(digest(seed)).as("seed %d", seed).isEqualTo(digest(seed));
    assertThat(digest(seed + 1)).isNotEqualTo(digest(seed));
  }

  private String digest(long seed) {
    try (DiskChaos run = new DiskChaos(this, seed)) {
      run.steps(STEPS_TWICE);
      return run.digest();
    }
  }
}
