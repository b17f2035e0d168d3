package org.gatun.broker.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who makes one without a policy file has the same limits. */
class GuestProgramTest {
  private static GuestProgram.Limits cpu(double cpu) {
    return new GuestProgram.Limits(
        OptionalDouble.of(cpu), OptionalLong.empty(), OptionalInt.empty());
  }

  private static GuestProgram.Limits threads(int threads) {
    return new GuestProgram.Limits(
        OptionalDouble.empty(), OptionalLong.empty(), OptionalInt.of(threads));
  }

  private static GuestProgram.Supervision watchdog(long millis) {
    return new GuestProgram.Supervision(
        GuestProgram.Restart.NEVER, Optional.of(Duration.ofMillis(millis)));
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.01, 0.5, 1024})
  void sharesOfProcessors(double share) {
    assertThat(cpu(share).cpu()).hasValue(share);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.009, 0, -1, 1024.001, Double.NaN, Double.POSITIVE_INFINITY})
  void sharesThatCannotBeHeld(double share) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> cpu(share))
        .withMessageContaining("from 0.01 to 1024 is possible");
  }

  @ParameterizedTest
  @ValueSource(ints = {32, 256, 32768})
  void numbersOfThreads(int number) {
    assertThat(threads(number).threads()).hasValue(number);
  }

  @ParameterizedTest
  @ValueSource(ints = {31, 0, -1, 32769})
  void numbersOfThreadsThatAreNone(int number) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> threads(number))
        .withMessageContaining("from 32 to 32768 is possible");
  }

  @ParameterizedTest
  @ValueSource(longs = {2_000, 2_500, 9_999_000})
  void timesOfAWatchdog(long millis) {
    assertThat(watchdog(millis).watchdog()).contains(Duration.ofMillis(millis));
  }

  @ParameterizedTest
  @ValueSource(longs = {1_999, 0, -2_000, 9_999_001})
  void timesOfAWatchdogThatAreNone(long millis) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> watchdog(millis))
        .withMessageContaining("from 2 s to 9999 s is possible");
  }
}
