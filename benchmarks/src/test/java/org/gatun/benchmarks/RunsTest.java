package org.gatun.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import org.junit.jupiter.api.Test;

class RunsTest {
  @Test
  void medianIsTheMiddleOneOrBetweenTheMiddleTwo() {
    assertThat(new Runs(List.of(9.0, 1.0, 3.0)).median()).isEqualTo(3);
    assertThat(new Runs(List.of(9.0, 1.0, 3.0, 4.0)).median()).isEqualTo(3.5);
    assertThat(new Runs(List.of(7.0)).median()).isEqualTo(7);
  }

  @Test
  void spreadIsFromTheLeastToTheMost() {
    Runs runs = new Runs(List.of(3.0, 9.0, 1.0));

    assertThat(runs.least()).isEqualTo(1);
    assertThat(runs.most()).isEqualTo(9);
  }

  /** The median of the ratios is not the ratio of the medians. */
  @Test
  void ratiosAreTakenRunByRun() {
    Runs ratios = new Runs(List.of(1.0, 20.0, 3.0)).per(new Runs(List.of(2.0, 10.0, 30.0)));

    assertThat(ratios.values()).containsExactly(0.5, 2.0, 0.1);
    assertThat(ratios.median()).isEqualTo(0.5);
  }

  @Test
  void runsThatAreNotPairsHaveNoRatio() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Runs(List.of(1.0)).per(new Runs(List.of(1.0, 2.0))))
        .withMessageContaining("1 runs and 2");
    assertThatIllegalArgumentException().isThrownBy(() -> new Runs(List.of()));
  }
}
