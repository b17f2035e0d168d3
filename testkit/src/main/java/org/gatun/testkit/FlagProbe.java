package org.gatun.testkit;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.gatun.pci.Event;
import org.gatun.pci.TimeSource;

/** A probe for backends that signal any event: a flag. */
final class FlagProbe implements EduDeviceContract.EventProbe, Event {
  private static final Duration INTERVAL = Duration.ofMillis(1);

  private final AtomicBoolean set = new AtomicBoolean();
  private final TimeSource time;

  FlagProbe(TimeSource time) {
    this.time = time;
  }

  @Override
  public Event event() {
    return this;
  }

  @Override
  public void signal() {
    set.set(true);
  }

  @Override
  public boolean await(Duration limit) {
    return time.await(() -> set.getAndSet(false), limit, INTERVAL);
  }

  @Override
  public <T> Optional<T> unwrap(Class<T> exactType) {
    return Optional.empty();
  }

  @Override
  public void close() {}
}
