package org.gatun.driver.nvme;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.gatun.pci.DeviceName;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciException;
import org.gatun.pci.Vector;

/** A vector, and the queue pairs that interrupt on it. */
final class InterruptLine {
  /** Each interrupt wakes one waiter: who shares a vector looks for itself that often. */
  private static final Duration SHARED_LIMIT = Duration.ofMillis(1);

  private final Vector vector;
  private final Interrupts.Kind kind;
  private final Registers registers;
  private final AtomicInteger users = new AtomicInteger();

  private InterruptLine(Vector vector, Interrupts.Kind kind, Registers registers) {
    this.vector = vector;
    this.kind = kind;
    this.registers = registers;
  }

  /** Enables the best kind of interrupts that there is, with at most as many vectors as wanted. */
  static List<InterruptLine> enable(
      DeviceName name, Interrupts interrupts, int wanted, Registers registers) {
    for (Interrupts.Kind kind :
        List.of(Interrupts.Kind.MSIX, Interrupts.Kind.MSI, Interrupts.Kind.INTX)) {
      int count = interrupts.count(kind);
      if (count > 0) {
        // Several MSI vectors need a power of two and a contiguous block of the host's: one will
        // do.
        int vectors = kind == Interrupts.Kind.MSIX ? Math.min(count, wanted) : 1;
        return interrupts.enable(kind, vectors).stream()
            .map(vector -> new InterruptLine(vector, kind, registers))
            .toList();
      }
    }
    throw new PciException(name, "the device has no interrupts", "use completion by polling", null);
  }

  /**
   * Chooses a line for an I/O queue: one of its own if there are enough, and never the first, the
   * admin queue's, if there is another.
   */
  static InterruptLine forQueue(List<InterruptLine> lines, int queueId) {
    return lines.size() == 1 ? lines.getFirst() : lines.get(1 + (queueId - 1) % (lines.size() - 1));
  }

  int vector() {
    return vector.index();
  }

  void addUser() {
    users.incrementAndGet();
  }

  void removeUser() {
    users.decrementAndGet();
  }

  /**
   * Makes the line fire at the next completion, or now if there is one already; to be called after
   * the queue was emptied and before it is looked at for the last time.
   */
  void rearm() {
    if (kind != Interrupts.Kind.MSIX) {
      registers.unmaskInterrupt(vector.index());
      vector.mask(false);
    }
  }

  /** Waits until the line fires; returns early if it is shared. */
  void await(Duration limit) {
    boolean shared = users.get() > 1;
    if (vector.await(shared && limit.compareTo(SHARED_LIMIT) > 0 ? SHARED_LIMIT : limit)
        && kind != Interrupts.Kind.MSIX) {
      registers.maskInterrupt(vector.index());
    }
  }
}
