package org.gatun.vmtests;

import java.time.Duration;
import java.util.Optional;
import org.gatun.nativeaccess.EventFd;
import org.gatun.pci.Event;
import org.gatun.testkit.EduDeviceContract;

/** An eventfd: the kernel, or the backend, signals it itself. */
final class EventFdProbe implements EduDeviceContract.EventProbe {
  private final EventFd eventFd = EventFd.create("a connected vector");

  @Override
  public Event event() {
    return new EventFdEvent(eventFd);
  }

  @Override
  public boolean await(Duration limit) {
    return eventFd.await(limit) > 0;
  }

  @Override
  public void close() {
    eventFd.close();
  }

  private record EventFdEvent(EventFd eventFd) implements Event {
    @Override
    public void signal() {
      eventFd.signal();
    }

    @Override
    public <T> Optional<T> unwrap(Class<T> exactType) {
      return exactType == EventFd.class ? Optional.of(exactType.cast(eventFd)) : Optional.empty();
    }
  }
}
