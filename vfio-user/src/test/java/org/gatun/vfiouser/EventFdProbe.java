package org.gatun.vfiouser;

import java.time.Duration;
import java.util.Optional;
import org.gatun.nativeaccess.EventFd;
import org.gatun.pci.Event;
import org.gatun.testkit.EduDeviceContract.EventProbe;

/** An event with an eventfd behind it, which can go over a socket. */
final class EventFdProbe implements EventProbe, Event {
  private final EventFd eventFd = EventFd.create("test");

  @Override
  public Event event() {
    return this;
  }

  @Override
  public boolean await(Duration limit) {
    return eventFd.await(limit) > 0;
  }

  @Override
  public void signal() {
    eventFd.signal();
  }

  @Override
  public <T> Optional<T> unwrap(Class<T> exactType) {
    return exactType.equals(EventFd.class)
        ? Optional.of(exactType.cast(eventFd))
        : Optional.empty();
  }

  @Override
  public void close() {
    eventFd.close();
  }
}
