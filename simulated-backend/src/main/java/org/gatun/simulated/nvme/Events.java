package org.gatun.simulated.nvme;

import java.util.ArrayDeque;
import java.util.Arrays;
import org.gatun.specs.nvme.AsynchronousEvent;
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

  private final ArrayDeque<Integer> requests = new ArrayDeque<>();
  private final ArrayDeque<Integer> events = new ArrayDeque<>();

  /** By event type, with the log page that clears it. */
  private final int[] maskedBy = new int[8];

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

  /** Something happened; forgotten if there are too many already. */
  void raise(int event) {
    if (maskedBy[AsynchronousEvent.type(event)] == 0
        && events.size() < KEPT
        && !events.contains(event)) {
      events.add(event);
    }
  }

  /** What can be reported now. */
  @Nullable Report next() {
    if (requests.isEmpty()) {
      return null;
    }
    Integer event = null;
    for (int kept : events) {
      if (maskedBy[AsynchronousEvent.type(kept)] == 0) {
        event = kept;
        break;
      }
    }
    if (event == null) {
      return null;
    }
    events.remove(event);
    maskedBy[AsynchronousEvent.type(event)] = AsynchronousEvent.logPage(event);
    return new Report(requests.remove(), event);
  }

  /** The host has read a log page. */
  void pageRead(int logPage) {
    for (int type = 0; type < maskedBy.length; type++) {
      if (maskedBy[type] == logPage) {
        maskedBy[type] = 0;
      }
    }
  }

  void clear() {
    requests.clear();
    events.clear();
    Arrays.fill(maskedBy, 0);
  }
}
