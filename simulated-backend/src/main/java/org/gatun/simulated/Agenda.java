package org.gatun.simulated;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.PriorityQueue;
import org.jspecify.annotations.Nullable;

/**
 * What a model is to do later, in the bus's time, and can be made to forget. A bus keeps what is
 * {@linkplain ModelContext#schedule scheduled} until its time has come, even if nobody wants it any
 * more; and a driver that begins something and resets the device could have it keep any number. So
 * an agenda has few of the bus's tasks, however much is added to it and cancelled, and none a
 * minute after it is empty. Any thread.
 */
public final class Agenda {
  /** The bus is not asked to wait for longer at a time. */
  private static final long LONGEST = Duration.ofMinutes(1).toNanos();

  /** With more tasks than these, it is not asked to wait for longer than {@link #SHORT}. */
  private static final int CROWD = 16;

  private static final long SHORT = Duration.ofMillis(1).toNanos();

  private final ModelContext context;
  private final PriorityQueue<Entry> entries = new PriorityQueue<>(Entry::compareDue);

  /** When the bus has a task for it: each before those that were there already. */
  private final ArrayDeque<Long> tasks = new ArrayDeque<>();

  private long added;

  /** An empty one, in the time of that context. */
  public Agenda(ModelContext context) {
    this.context = context;
  }

  /** Something that is to be done. */
  public final class Entry {
    private final long due;
    private final long number;
    private final Runnable action;

    private Entry(long due, long number, Runnable action) {
      this.due = due;
      this.number = number;
      this.action = action;
    }

    /** It is not to be done any more. Nothing if it was, or is just being done. */
    public void cancel() {
      remove(this);
    }

    /** Of a clock's readings, only the difference means anything. */
    private int compareDue(Entry other) {
      int byTime = Long.signum(due - other.due);
      return byTime != 0 ? byTime : Long.compare(number, other.number);
    }
  }

  /**
   * Has something done later, on a thread of the bus, or, in virtual time, on the thread that lets
   * time pass; with no lock held. What is due at the same time is done in the order of the calls.
   *
   * @param delay 0 or more; after more than 73 years, which no clock can be asked for, it is never
   */
  public synchronized Entry add(Duration delay, Runnable action) {
    long nanos = BusTime.nanos(delay);
    Entry entry = new Entry(context.time().nanoTime() + nanos, added++, action);
    if (nanos < BusTime.LONGEST) {
      entries.add(entry);
      ask();
    }
    return entry;
  }

  /** Cancels all. */
  public synchronized void clear() {
    entries.clear();
  }

  private synchronized void remove(Entry entry) {
    entries.remove(entry);
  }

  /** Asks the bus for a task, if it has none that comes in time for the next entry. */
  private void ask() {
    Entry next = entries.peek();
    if (next == null) {
      return;
    }
    Long first = tasks.peek();
    if (first != null && first - next.due <= 0) {
      return;
    }
    long now = context.time().nanoTime();
    long most = tasks.size() < CROWD ? LONGEST : SHORT;
    long delay = Math.clamp(next.due - now, 0, most);
    long at = now + delay;
    tasks.push(at);
    context.schedule(delay, () -> act(at));
  }

  private void act(long at) {
    long before = begin(at);
    try {
      for (Entry entry = next(before); entry != null; entry = next(before)) {
        entry.action.run();
      }
    } finally {
      end();
    }
  }

  /** What is added from now on is for another task, so that all others have a turn. */
  private synchronized long begin(long at) {
    tasks.remove(at);
    return added;
  }

  private synchronized void end() {
    ask();
  }

  private synchronized @Nullable Entry next(long before) {
    Entry next = entries.peek();
    boolean isDue =
        next != null && next.number < before && next.due - context.time().nanoTime() <= 0;
    return isDue ? entries.poll() : null;
  }
}
