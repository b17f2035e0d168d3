package org.gatun.simulated.trace;

import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Queue;
import org.gatun.pci.Event;
import org.jspecify.annotations.Nullable;

/**
 * Interrupts of a replayed device that come by themselves. An event is code of the driver's, so it
 * is signalled with no lock held. Any thread.
 */
final class ReplayedSignals {
  private final Map<Integer, Event> events = new HashMap<>();
  private final BitSet pending = new BitSet();
  private final Queue<Event> due = new ArrayDeque<>();

  /** The device interrupts. */
  synchronized void signal(int vector) {
    Event event = events.get(vector);
    if (event == null) {
      pending.set(vector);
    } else {
      due.add(event);
    }
  }

  synchronized void connect(int vector, Event event) {
    events.put(vector, event);
    if (pending.get(vector)) {
      pending.clear(vector);
      due.add(event);
    }
  }

  /** Consumes an interrupt that is pending; whether there was one. */
  synchronized boolean take(int vector) {
    boolean taken = pending.get(vector);
    pending.clear(vector);
    return taken;
  }

  synchronized boolean isConnected(int vector) {
    return events.containsKey(vector);
  }

  /** The vectors are gone. */
  synchronized void clear() {
    events.clear();
    pending.clear();
    due.clear();
  }

  void signalDue() {
    for (Event event = nextDue(); event != null; event = nextDue()) {
      event.signal();
    }
  }

  private synchronized @Nullable Event nextDue() {
    return due.poll();
  }
}
