package org.gatun.broker.service;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.Serial;
import java.time.Duration;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** What brokers tell of, one after the other. */
final class HeardEvents extends LinkedBlockingQueue<BrokerEvent> {
  @Serial private static final long serialVersionUID = 1;

  private static final Duration PATIENCE = Duration.ofMinutes(1);

  /** Starts a service, and hears of all that happens; one that does not start is closed. */
  BrokerService start(BrokerService opened) throws IOException {
    opened.listen(this::add);
    boolean started = false;
    try {
      opened.start();
      started = true;
      return opened;
    } finally {
      if (!started) {
        opened.close();
      }
    }
  }

  /** The next one of a kind; those before it are forgotten. */
  <T extends BrokerEvent> T await(Class<T> kind) throws InterruptedException {
    while (true) {
      BrokerEvent event = poll(PATIENCE.toSeconds(), TimeUnit.SECONDS);
      assertThat(event).as(kind.getSimpleName()).isNotNull();
      if (kind.isInstance(event)) {
        return kind.cast(event);
      }
    }
  }
}
