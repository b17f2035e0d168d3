package org.gatun.vmtests.inside;

import static org.assertj.core.api.Assertions.assertThat;

import org.gatun.vmtests.inside.TestEvent.AllEnded;
import org.gatun.vmtests.inside.TestEvent.Finished;
import org.gatun.vmtests.inside.TestEvent.Planned;
import org.gatun.vmtests.inside.TestEvent.Skipped;
import org.gatun.vmtests.inside.TestEvent.Started;
import org.gatun.vmtests.inside.TestEvent.Status;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class TestEventTest {
  static TestEvent[] events() {
    return new TestEvent[] {
      new Planned("[class:A]", "[engine:e]", false, "A"),
      new Planned("[test:a()]", "[class:A]", true, "with\ttab, \\n and\nline feed"),
      new Started("a"),
      new Skipped("a", ""),
      new Finished("a", Status.PASSED, ""),
      new Finished("a", Status.FAILED, "java.lang.AssertionError: é\n\tat A.a(A.java:1)\n"),
      new AllEnded("run")
    };
  }

  @ParameterizedTest
  @MethodSource("events")
  void isReadAsItWasWritten(TestEvent event) {
    String line = event.toLine();

    assertThat(line).doesNotContain("\n");
    assertThat(TestEvent.parse(line)).contains(event);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "finished\ta", "finished\ta\tPASS", "planned\ta\tb\ttest", "nonsense"})
  void isNotReadFromALineThatIsNone(String line) {
    assertThat(TestEvent.parse(line)).isEmpty();
  }

  @Test
  void isReadAlsoWithABackslashAtTheEnd() {
    assertThat(TestEvent.parse("started\ta\\")).contains(new Started("a\\"));
  }
}
