package org.gatun.simulated.nvme;

import java.util.ArrayDeque;
import java.util.Arrays;
import org.gatun.specs.nvme.AsynchronousEvent;
import org.gatun.specs.nvme.Features;
import org.jspecify.annotations.Nullable;

/**
 * Asynchronous events and the requests that wait for them (Base 5.2). A type that was reported is
 * masked until its log page is read. Guarded by the controller's monitor.
 */
final class Events {
  static final int REQUESTS = 4;
  private static final int KEPT = 8;

  /** An event and the request that it completes. */
  record Report(int commandId, int event) {}

  private final FeatureValues features;
  private final ArrayDeque<Integer> requests = new ArrayDeque<>();
  private final ArrayDeque<Integer> events = new ArrayDeque<>();

  /** By type, the event that was reported, until its log page is read; else 0, which is none. */
  private final int[] unread = new int[8];

  Events(FeatureValues features) {
    this.features = features;
  }

  /** Keeps a request; false if there are too many. */
  boolean request(int commandId) {
    if (requests.size() == REQUESTS) {
      return false;
    }
    requests.add(commandId);
    return true;
  }

  boolean abort(int commandId) {
    return requests.remove(commandId);
  }

  /** Something happened; forgotten if the host is to look for it anyway, or has too much to do. */
  void raise(int event) {
    if (unread[AsynchronousEvent.type(event)] != event
        && events.size() < KEPT
        && !events.contains(event)) {
      events.add(event);
    }
  }

  /**
   * As {@link #raise}, of an event that the host has to ask for (Base 5.27.1.8).
   *
   * @param enable its bit of {@link Features#ASYNCHRONOUS_EVENT_CONFIGURATION}
   */
  void raiseIfEnabled(int enable, int event) {
    if ((features.get(Features.ASYNCHRONOUS_EVENT_CONFIGURATION, 0) & enable) != 0) {
      raise(event);
    }
  }

  /** What can be reported now. */
  @Nullable Report next() {
    if (requests.isEmpty()) {
      return null;
    }
    Integer event = null;
    for (int kept : events) {
      if (unread[AsynchronousEvent.type(kept)] == 0) {
        event = kept;
        break;
      }
    }
    if (event == null) {
      return null;
    }
    events.remove(event);
    unread[AsynchronousEvent.type(event)] = event;
    return new Report(requests.remove(), event);
  }

  /** The host has read a log page. */
  void pageRead(int logPage) {
    for (int type = 0; type < unread.length; type++) {
      if (AsynchronousEvent.logPage(unread[type]) == logPage) {
        unread[type] = 0;
      }
    }
  }

  void clear() {
    requests.clear();
    events.clear();
    Arrays.fill(unread, 0);
  }
}
