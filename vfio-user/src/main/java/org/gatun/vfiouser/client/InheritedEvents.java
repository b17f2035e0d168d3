package org.gatun.vfiouser.client;

import java.util.List;
import org.gatun.nativeaccess.Errno;
import org.gatun.nativeaccess.EventFd;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.jspecify.annotations.Nullable;

/** The eventfds that this process was started with, lent one by one. Any thread. */
final class InheritedEvents {
  private final List<Fd> all;

  /** By place: who has it, or had it and has closed it since. Guarded by this. */
  private final @Nullable EventFd[] lent;

  InheritedEvents(List<Fd> all) {
    this.all = List.copyOf(all);
    this.lent = new EventFd[all.size()];
  }

  int count() {
    return all.size();
  }

  /**
   * Lends one, until it is closed.
   *
   * @throws LinuxException with {@link Errno#EMFILE} if all are lent
   */
  synchronized EventFd lend(String description) {
    for (int i = 0; i < lent.length; i++) {
      EventFd before = lent[i];
      if (before == null || before.fd().isClosed()) {
        EventFd event = EventFd.shared(all.get(i).duplicate(description));
        event.take(); // what came for the one before
        lent[i] = event;
        return event;
      }
    }
    throw new LinuxException("eventfd", description, Errno.EMFILE.number());
  }

  /** The places of some that are lent. */
  synchronized int[] places(List<Fd> events) {
    return events.stream().mapToInt(this::place).toArray();
  }

  private int place(Fd event) {
    for (int i = 0; i < lent.length; i++) {
      EventFd one = lent[i];
      if (one != null && one.fd().equals(event)) {
        return i;
      }
    }
    throw new IllegalArgumentException(
        event + ": this process was not started with it, so interrupts can't signal it");
  }
}
