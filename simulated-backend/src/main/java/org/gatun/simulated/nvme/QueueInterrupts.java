package org.gatun.simulated.nvme;

import java.util.BitSet;
import org.gatun.simulated.ModelContext;

/**
 * How completion queues interrupt: by messages, or by the pin, which is asserted as long as a queue
 * that interrupts has entries and its vector is not masked (Base 3.1.3.3, NVMe over PCIe 3.5). The
 * pin is driven while there are messages, too: it counts as soon as there are none any more. Its
 * monitor comes after those of queues.
 */
final class QueueInterrupts {
  private final ModelContext context;

  /** By vector, of queues with entries. */
  private final BitSet[] waiting = new BitSet[Integer.SIZE];

  /** INTMS and INTMC, a bit for each of the first 32 vectors. */
  private int mask;

  QueueInterrupts(ModelContext context) {
    this.context = context;
    for (int i = 0; i < waiting.length; i++) {
      waiting[i] = new BitSet();
    }
  }

  /** Something was posted. */
  void posted(CompletionQueue queue) {
    if (context.hasMessageInterrupts()) {
      context.signal(queue.vector);
    }
    set(queue, true);
  }

  /** The host has consumed all entries of a queue, or the queue is gone. */
  void emptied(CompletionQueue queue) {
    set(queue, false);
  }

  synchronized int mask() {
    return mask;
  }

  synchronized void mask(int newMask) {
    mask = newMask;
    update();
  }

  synchronized void reset() {
    mask = 0;
    for (BitSet queues : waiting) {
      queues.clear();
    }
    update();
  }

  private synchronized void set(CompletionQueue queue, boolean on) {
    // A pin has no vectors: the high ones, which have no mask bit, share the last.
    BitSet queues = waiting[Math.min(queue.vector, Integer.SIZE - 1)];
    if (queues.get(queue.id) != on) {
      queues.set(queue.id, on);
      update();
    }
  }

  private void update() {
    boolean on = false;
    for (int vector = 0; vector < waiting.length; vector++) {
      on |= !waiting[vector].isEmpty() && (mask & (1 << vector)) == 0;
    }
    context.setInterruptLine(on);
  }
}
