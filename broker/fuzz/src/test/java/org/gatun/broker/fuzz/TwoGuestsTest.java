package org.gatun.broker.fuzz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Two guests, two devices: whatever one does, nothing of the other's changes. {@code
 * -Dgatun.operations=N -Dgatun.seed=N} say how much it does, and what.
 */
class TwoGuestsTest {
  private static final int BETWEEN_CHECKS = 5_000;

  @Test
  void nothingOfTheOthersChanges() {
    int operations = Integer.getInteger("gatun.operations", 100_000);
    long seed = Long.getLong("gatun.seed", System.nanoTime());
    System.out.printf("operations: -Dgatun.operations=%d -Dgatun.seed=%d%n", operations, seed);
    try (TwoGuests guests = new TwoGuests(Choices.of(new Random(seed)))) {
      int done = 0;
      while (done < operations) {
        int next = Math.min(done + BETWEEN_CHECKS, operations);
        try {
          for (; done < next; done++) {
            guests.attacker.act();
          }
        } catch (RuntimeException | Error e) {
          throw new AssertionError("seed %d, operation %d".formatted(seed, done), e);
        }
        guests.victim.check("seed %d, after %d operations".formatted(seed, done));
      }
      guests.attacker.end();
      guests.victim.check("seed %d, at the end".formatted(seed));
      guests.victim.checkThatItWorks();
      assertThat(guests.attacker.accepted())
          .as("operations that did something")
          .isGreaterThan(operations / 2);
    }
  }

  /** The check checks: it sees each thing that is changed, and whether it is that one. */
  @ParameterizedTest
  @EnumSource
  void theVictimSeesAChange(Victim.Change change) {
    try (TwoGuests guests = new TwoGuests(Choices.of(new Random(1)))) {
      guests.victim.check("at the start");
      guests.victim.suffer(change);
      assertThatThrownBy(() -> guests.victim.check("after a change"))
          .isInstanceOf(AssertionError.class)
          .hasMessageContaining(change.seenAs());
    }
  }

  @Test
  void theVictimWorksUntilItIsAttacked() {
    try (TwoGuests guests = new TwoGuests(Choices.of(new Random(1)))) {
      guests.victim.checkThatItWorks();
    }
  }
}
