package org.gatun.broker.fuzz;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;

/**
 * As {@link TwoGuestsTest}, with a fuzzer that looks for operations that lead somewhere new. By
 * itself it runs the inputs that were kept; with {@code JAZZER_FUZZ=1} it looks for more.
 */
class OperationsFuzzTest {
  private static final int MOST_OPERATIONS = 500;

  @FuzzTest(maxDuration = "10m")
  void nothingOfTheOthersChanges(FuzzedDataProvider data) {
    try (TwoGuests guests = new TwoGuests(Choices.of(data))) {
      for (int i = 0; i < MOST_OPERATIONS && data.remainingBytes() > 0; i++) {
        guests.attacker.act();
      }
      guests.attacker.end();
      guests.victim.check("at the end");
    }
  }
}
