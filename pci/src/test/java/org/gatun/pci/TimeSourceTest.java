package org.gatun.pci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class TimeSourceTest {
  /** Moves only when slept on. */
  private static final class ManualTime implements TimeSource {
    final List<Duration> sleeps = new ArrayList<>();
    long now = Long.MAX_VALUE - 5; // about to overflow, as nanoTime may

    @Override
    public long nanoTime() {
      return now;
    }

    @Override
    public void sleep(Duration duration) {
      sleeps.add(duration);
      now += duration.toNanos();
    }

    @Override
    public void spin() {}
  }

  @Test
  void awaitChecksBeforeItSleeps() {
    ManualTime time = new ManualTime();

    assertThat(time.await(() -> true, Duration.ZERO, Duration.ofSeconds(1))).isTrue();
    assertThat(time.sleeps).isEmpty();
  }

  @Test
  void awaitNeverSleepsPastItsLimit() {
    ManualTime time = new ManualTime();

    assertThat(time.await(() -> false, Duration.ofNanos(25), Duration.ofNanos(10))).isFalse();
    assertThat(time.sleeps)
        .containsExactly(Duration.ofNanos(10), Duration.ofNanos(10), Duration.ofNanos(5));
  }

  @Test
  void awaitChecksOnceMoreAtTheEnd() {
    ManualTime time = new ManualTime();
    long end = time.now + 10;

    assertThat(time.await(() -> time.now == end, Duration.ofNanos(10), Duration.ofDays(1)))
        .isTrue();
  }

  @Test
  void awaitForeverIsALimitToo() {
    ManualTime time = new ManualTime();
    long start = time.now;
    Duration forever = Duration.ofSeconds(Long.MAX_VALUE);

    assertThat(time.await(() -> time.now - start > 1000, forever, Duration.ofNanos(100))).isTrue();
  }

  @Test
  void awaitRefusesAnIntervalThatWouldNotMoveVirtualTime() {
    ManualTime time = new ManualTime();

    assertThatIllegalArgumentException()
        .isThrownBy(() -> time.await(() -> false, Duration.ofSeconds(1), Duration.ZERO));
  }

  @Test
  void anInterruptEndsAWait() {
    TimeSource time = TimeSource.system();
    Thread.currentThread().interrupt();
    try {
      time.sleep(Duration.ofSeconds(Long.MAX_VALUE));
      boolean held = time.await(() -> false, Duration.ofDays(1), Duration.ofDays(1));

      assertThat(held).isFalse();
    } finally {
      assertThat(Thread.interrupted()).isTrue();
    }
  }

  @Test
  void sleepLetsAtLeastThatMuchTimePass() {
    TimeSource time = TimeSource.system();
    long start = time.nanoTime();
    time.sleep(Duration.ofMillis(2));

    assertThat(time.nanoTime() - start).isGreaterThanOrEqualTo(2_000_000);
  }
}
