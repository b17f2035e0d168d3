package org.gatun.simulated;

import java.util.ArrayDeque;
import java.util.SplittableRandom;
import org.gatun.pci.RegisterHandler;

/**
 * The host's memory writes on their way to a function. They are posted: who writes goes on before
 * they arrive. They arrive in their order, and before whatever the host reads of the function, or
 * writes to its config space or ports, after them (PCI Express Base Specification 5.0, 2.4.1).
 *
 * <p>Its monitor is held while they arrive, before all locks of the model; nobody's events are
 * signalled under it.
 */
final class PostedWrites {
  /** No longer than this, in nanoseconds of the bus's time. */
  private static final int LONGEST = 5_000;

  /** What the buffers on the way hold. */
  private static final int MOST = 16;

  /** Where a write arrives; what interrupts it causes is signalled afterwards. */
  interface Target {
    void arrive(long offset, int width, long value);
  }

  private record Write(long due, Target target, long offset, int width, long value) {}

  private final SplittableRandom random;
  private final BusTime time;
  private final Runnable signalEvents;
  private final ArrayDeque<Write> underWay = new ArrayDeque<>();

  /**
   * @param signalEvents signals what interrupts have left to be signalled
   */
  PostedWrites(long seed, BusTime time, Runnable signalEvents) {
    this.random = new SplittableRandom(seed);
    this.time = time;
    this.signalEvents = signalEvents;
  }

  /** What is in front of a memory range, of which the first gives what is read. */
  RegisterHandler toMemory(RegisterHandler memory, Target target) {
    return new RegisterHandler() {
      @Override
      public long read(long offset, int width) {
        flush();
        return memory.read(offset, width);
      }

      @Override
      public void write(long offset, int width, long value) {
        post(target, offset, width, value);
      }
    };
  }

  /** What is in front of ports, to which no write is posted. */
  RegisterHandler toPorts(RegisterHandler ports) {
    return new RegisterHandler() {
      @Override
      public long read(long offset, int width) {
        flush();
        return ports.read(offset, width);
      }

      @Override
      public void write(long offset, int width, long value) {
        flush();
        ports.write(offset, width, value);
      }
    };
  }

  /** All that is under way arrives; the caller has events signalled when it holds no lock. */
  void arriveAll() {
    arrive(Long.MAX_VALUE);
  }

  private void flush() {
    arriveAll();
    signalEvents.run();
  }

  private void post(Target target, long offset, int width, long value) {
    long delay;
    synchronized (this) {
      while (underWay.size() >= MOST) {
        arriveFirst();
      }
      delay = random.nextInt(LONGEST);
      underWay.add(new Write(time.nanoTime() + delay, target, offset, width, value));
    }
    time.schedule(
        delay,
        () -> {
          arrive(time.nanoTime());
          signalEvents.run();
        });
    signalEvents.run();
  }

  /** Those that are due until then arrive, and whatever is before them. */
  private synchronized void arrive(long until) {
    int due = 0;
    int number = 0;
    for (Write write : underWay) {
      number++;
      due = write.due <= until ? number : due;
    }
    for (; due > 0; due--) {
      arriveFirst();
    }
  }

  private void arriveFirst() {
    Write write = underWay.remove();
    write.target.arrive(write.offset, write.width, write.value);
  }
}
