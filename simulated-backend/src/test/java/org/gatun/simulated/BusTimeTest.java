package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;

/** Time, as models have it. */
@NullMarked
class BusTimeTest {
  private static final Duration AGES = Duration.ofDays(200_000);

  @Test
  void aLongTimeDoesNotOverflow() {
    try (SimulatedBus bus = SimulatedBus.virtualTime()) {
      ProbeModel model = new ProbeModel();
      bus.plug("probe", model);
      ModelContext context = model.running().context;
      List<String> done = new ArrayList<>();
      bus.time().sleep(Duration.ofMillis(1));
      context.schedule(AGES, () -> done.add("after ages"));
      context.schedule(Long.MAX_VALUE, () -> done.add("at the end of time"));
      bus.time().sleep(Duration.ofDays(1));
      assertThat(done).isEmpty();
      for (int i = 0; i < 6; i++) {
        bus.time().sleep(AGES);
        assertThat(bus.time().nanoTime()).isPositive();
      }
      assertThat(done).containsExactly("after ages", "at the end of time");
    }
  }

  private static final class Kept extends Handler {
    final LinkedBlockingQueue<LogRecord> records = new LinkedBlockingQueue<>();

    @Override
    public void publish(LogRecord record) {
      records.add(record);
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
  }

  /** It is on a thread of the bus that nobody waits for. */
  @Test
  void anErrorOfAModelIsLoggedAndTimeGoesOn() throws Exception {
    Logger logger = Logger.getLogger(RealTime.class.getName());
    Kept kept = new Kept();
    logger.addHandler(kept);
    logger.setUseParentHandlers(false);
    try (SimulatedBus bus = SimulatedBus.realTime()) {
      ProbeModel model = new ProbeModel();
      bus.plug("probe", model);
      ModelContext context = model.running().context;
      InternalError error = new InternalError("as told");
      context.schedule(
          0,
          () -> {
            throw error;
          });
      LogRecord record = kept.records.poll(10, TimeUnit.SECONDS);
      assertThat(record).isNotNull().extracting(LogRecord::getThrown).isEqualTo(error);
      CountDownLatch next = new CountDownLatch(1);
      context.schedule(0, next::countDown);
      assertThat(next.await(10, TimeUnit.SECONDS)).isTrue();
    } finally {
      logger.setUseParentHandlers(true);
      logger.removeHandler(kept);
    }
  }
}
