package org.gatun.nativeaccess;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EventFdTest {
  private static final Duration FOREVER = Duration.ofSeconds(Long.MAX_VALUE);
  private static final Duration SHORT = Duration.ofMillis(5);

  @Test
  void signalsAreCountedAndTakenAtOnce() {
    try (EventFd event = EventFd.create("test")) {
      assertThat(event.take()).isZero();
      event.signal();
      event.signal();
      event.signal();
      assertThat(event.take()).isEqualTo(3);
      assertThat(event.take()).isZero();
    }
  }

  @Test
  void signalsBeforeWaitingAreNotLost() {
    try (EventFd event = EventFd.create("test")) {
      event.signal();
      event.signal();
      assertThat(event.await(FOREVER)).isEqualTo(2);
      assertThat(event.await(Duration.ZERO)).isZero();
    }
  }

  @Test
  void waitingEndsAtTheLimitAndNotBefore() {
    try (EventFd event = EventFd.create("test")) {
      long start = System.nanoTime();
      assertThat(event.await(SHORT)).isZero();
      assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(SHORT.toNanos());
      assertThat(event.await(Duration.ofMillis(-1))).isZero();
      assertThat(event.await(Duration.ofSeconds(Long.MIN_VALUE))).isZero();
    }
  }

  @Test
  void theKernelSeesAnEventfdThatNeverBlocks() throws IOException {
    try (EventFd event = EventFd.create("test");
        HeldFds held = HeldFds.of(event.fd())) {
      event.signal();
      Path info = Path.of("/proc/self/fdinfo/" + held.number(0));
      assertThat(Files.readString(info))
          .containsPattern("eventfd-count:\\s+1\n")
          .containsPattern("flags:\\s+02004002\n");
    }
  }

  @Test
  void aFullCounterIsSignalled() {
    try (EventFd event = EventFd.create("test");
        Arena arena = Arena.ofConfined();
        HeldFds held = HeldFds.of(event.fd())) {
      MemorySegment most = arena.allocate(ValueLayout.JAVA_LONG);
      most.set(ValueLayout.JAVA_LONG, 0, -2);
      assertThat(Linux.calls().write(held.number(0), most, 8)).isEqualTo(8);
      event.signal();
      assertThat(event.take()).isEqualTo(-2);
    }
  }

  @Test
  void twoThreadsPlayPingPong() throws Exception {
    int rounds = 2_000;
    try (EventFd ping = EventFd.create("ping");
        EventFd pong = EventFd.create("pong");
        ExecutorService executor = Executors.newSingleThreadExecutor()) {
      Future<?> other =
          executor.submit(
              () -> {
                for (int i = 0; i < rounds; i++) {
                  assertThat(ping.await(FOREVER)).isEqualTo(1);
                  pong.signal();
                }
              });
      for (int i = 0; i < rounds; i++) {
        ping.signal();
        assertThat(pong.await(FOREVER)).isEqualTo(1);
      }
      other.get();
    }
  }

  @Test
  void aSignalWakesOneOfManyWaiters() throws Exception {
    int waiters = 4;
    try (EventFd event = EventFd.create("test");
        ExecutorService executor = Executors.newFixedThreadPool(waiters)) {
      List<Future<Long>> taken = new ArrayList<>();
      for (int i = 0; i < waiters; i++) {
        taken.add(executor.submit(() -> event.await(FOREVER)));
      }
      // Each waiter ends with what it took. Signals may be taken together, so signal until all have
      // one.
      long signalled = 0;
      while (!taken.stream().allMatch(Future::isDone)) {
        event.signal();
        signalled++;
        Thread.onSpinWait();
      }
      long sum = event.take();
      for (Future<Long> count : taken) {
        sum += count.get();
      }
      assertThat(sum).isEqualTo(signalled);
    }
  }

  @Test
  void closingWakesAllWaiters() throws Exception {
    int waiters = 4;
    try (ExecutorService executor = Executors.newFixedThreadPool(waiters)) {
      for (int round = 0; round < 500; round++) {
        EventFd event = EventFd.create("test");
        CountDownLatch running = new CountDownLatch(waiters);
        List<Future<?>> waiting = new ArrayList<>();
        for (int i = 0; i < waiters; i++) {
          waiting.add(
              executor.submit(
                  () -> {
                    running.countDown();
                    assertThatThrownBy(() -> event.await(FOREVER))
                        .isInstanceOf(ClosedDescriptorException.class);
                  }));
        }
        running.await();
        // Close at different moments: before they wait, and when some or all are in the kernel.
        for (int i = 0; i < round * 50; i++) {
          Thread.onSpinWait();
        }
        event.close();
        for (Future<?> waiter : waiting) {
          waiter.get();
        }
        assertThat(event.fd().isClosed()).isTrue();
      }
    }
    assertThat(Descriptors.all()).doesNotContain("anon_inode:[eventfd]");
  }

  @Test
  void useAfterCloseIsRefused() {
    EventFd event = EventFd.create("vector 3");
    event.close();
    event.close();
    assertThatThrownBy(event::signal)
        .isInstanceOf(ClosedDescriptorException.class)
        .hasMessageStartingWith("signal vector 3 (fd ");
    assertThatThrownBy(event::take).isInstanceOf(ClosedDescriptorException.class);
    assertThatThrownBy(() -> event.await(FOREVER)).isInstanceOf(ClosedDescriptorException.class);
    assertThatThrownBy(() -> EventFd.awaitAny(List.of(event), FOREVER))
        .isInstanceOf(ClosedDescriptorException.class);
  }

  @Test
  void waitsForAnyOfSeveralAndTakesNothing() {
    try (EventFd first = EventFd.create("first");
        EventFd second = EventFd.create("second");
        EventFd third = EventFd.create("third")) {
      List<EventFd> events = List.of(first, second, third);
      assertThat(EventFd.awaitAny(events, SHORT)).isEmpty();
      third.signal();
      assertThat(EventFd.awaitAny(events, FOREVER)).isEqualTo(OptionalInt.of(2));
      second.signal();
      assertThat(EventFd.awaitAny(events, FOREVER)).isEqualTo(OptionalInt.of(1));
      assertThat(second.take()).isEqualTo(1);
      assertThat(EventFd.awaitAny(events, FOREVER)).isEqualTo(OptionalInt.of(2));
      assertThat(third.take()).isEqualTo(1);
      assertThat(EventFd.awaitAny(events, Duration.ZERO)).isEmpty();
    }
  }

  @Test
  void closingOneWakesWhoWaitsForAny() throws Exception {
    try (ExecutorService executor = Executors.newSingleThreadExecutor();
        EventFd other = EventFd.create("other")) {
      for (int round = 0; round < 200; round++) {
        EventFd closed = EventFd.create("closed");
        CountDownLatch running = new CountDownLatch(1);
        Future<?> waiter =
            executor.submit(
                () -> {
                  running.countDown();
                  assertThatThrownBy(() -> EventFd.awaitAny(List.of(other, closed), FOREVER))
                      .isInstanceOf(ClosedDescriptorException.class)
                      .hasMessageContaining("closed (fd");
                });
        running.await();
        for (int i = 0; i < round * 50; i++) {
          Thread.onSpinWait();
        }
        closed.close();
        waiter.get();
      }
    }
  }
}
