package org.gatun.containertests;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.opentest4j.TestAbortedException;

class EngineTest {
  private static final Optional<String> LACKING = Optional.of("there is none");

  @Test
  void skipsOrFailsWhereTheMachineLacksIt() {
    assertThatThrownBy(() -> Engine.require(LACKING, Map.of("GATUN_REQUIRE", "vm")))
        .isInstanceOf(TestAbortedException.class)
        .hasMessageContaining("there is none: run, as root, build/with-docker");
    assertThatThrownBy(() -> Engine.require(LACKING, Map.of("GATUN_REQUIRE", "vm,containers")))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("there is none: run, as root, build/with-docker");
    assertThatCode(() -> Engine.require(Optional.empty(), Map.of("GATUN_REQUIRE", "vm,containers")))
        .doesNotThrowAnyException();
  }
}
