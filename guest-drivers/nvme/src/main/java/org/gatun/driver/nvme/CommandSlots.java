package org.gatun.driver.nvme;

import org.gatun.pci.spi.Failures;
import org.gatun.specs.nvme.NvmeStatus;
import org.jspecify.annotations.Nullable;

/**
 * Where a queue pair keeps what it knows of its commands in flight: who is called back, and when a
 * command's time is over. Allocates nothing after it was made. One thread.
 */
final class CommandSlots {
  /** Of a slot without a command: no identifier of a command. */
  private static final int FREE = -1;

  private static final byte NEW = 0;
  private static final byte TIMED = 1;
  private static final byte ABORTING = 2;

  private final int depth;

  /**
   * By slot: the identifier of the command that is in it, or of the next. The slot is in the low
   * bits; those above count, so that a completion that comes twice is not taken for that of the
   * command that has the slot by then.
   */
  private final char[] commandIds;

  private final int slotMask;

  /** By slot; null where no command is in flight. */
  private final @Nullable NvmeCallback[] callbacks;

  private final long[] contexts;

  /**
   * By slot; a command's time starts when it is first looked at, so as not to read the clock when
   * it is submitted.
   */
  private final byte[] stages;

  private final long[] deadlines;

  /** A stack of the free slots. */
  private final int[] freeSlots;

  private int freeCount;

  CommandSlots(int depth) {
    this.depth = depth;
    this.slotMask = Integer.highestOneBit(depth * 2 - 1) - 1;
    this.commandIds = new char[depth];
    this.callbacks = new @Nullable NvmeCallback[depth];
    this.contexts = new long[depth];
    this.stages = new byte[depth];
    this.deadlines = new long[depth];
    this.freeSlots = new int[depth];
    for (int slot = 0; slot < depth; slot++) {
      commandIds[slot] = (char) slot;
      freeSlots[depth - 1 - slot] = slot;
    }
    this.freeCount = depth;
  }

  boolean areAllTaken() {
    return freeCount == 0;
  }

  int inFlight() {
    return depth - freeCount;
  }

  /** The slot that the next command takes; not if all are taken. */
  int next() {
    return freeSlots[freeCount - 1];
  }

  /** The identifier of the command in a slot, or of the next one. */
  int commandId(int slot) {
    return commandIds[slot];
  }

  /** Puts a command into the next slot. */
  void take(NvmeCallback callback, long context) {
    int slot = freeSlots[--freeCount];
    callbacks[slot] = callback;
    contexts[slot] = context;
    stages[slot] = NEW;
  }

  /**
   * Frees the slot of a command that is complete. Its context is still there until the next is
   * taken.
   *
   * @return who is called back; null if no such command is in flight
   */
  @Nullable NvmeCallback complete(int commandId) {
    int slot = slot(commandId);
    NvmeCallback callback = slot < depth && commandIds[slot] == commandId ? callbacks[slot] : null;
    if (callback != null) {
      release(slot);
    }
    return callback;
  }

  /** Of the command that was completed last, or that is in its slot. */
  long context(int commandId) {
    return contexts[slot(commandId)];
  }

  private int slot(int commandId) {
    return commandId & slotMask;
  }

  private void release(int slot) {
    callbacks[slot] = null;
    commandIds[slot] += (char) (slotMask + 1);
    freeSlots[freeCount++] = slot;
  }

  /** Sets when the time of the command in a slot is over. */
  void limit(int slot, long deadline) {
    stages[slot] = TIMED;
    deadlines[slot] = deadline;
  }

  /**
   * The next command whose time is over. That of those that were not looked at before starts.
   *
   * @param from the slot to begin with
   * @param now as {@link System#nanoTime} or the like
   * @param timeoutNanos from now, for those
   * @return its slot; -1 if there are no more
   */
  int overdue(int from, long now, long timeoutNanos) {
    for (int slot = from; slot < depth; slot++) {
      if (callbacks[slot] == null) {
        continue;
      }
      if (stages[slot] == NEW) {
        limit(slot, now + timeoutNanos);
      } else if (now - deadlines[slot] >= 0) {
        return slot;
      }
    }
    return -1;
  }

  /** Whether the controller was told to abort the command. */
  boolean isAborting(int slot) {
    return stages[slot] == ABORTING;
  }

  /** Notes that the controller is told to abort the command, and how long it has for that. */
  void aborting(int slot, long deadline) {
    stages[slot] = ABORTING;
    deadlines[slot] = deadline;
  }

  /** Completes all that is in flight; what callbacks throw is added to the failures. */
  int abandonAll(NvmeStatus status, Failures failures) {
    int abandoned = 0;
    // Only those that are in flight now: a callback may submit anew, into a slot further on, also
    // one whose command it has seen complete.
    int[] known = new int[depth];
    for (int slot = 0; slot < depth; slot++) {
      known[slot] = callbacks[slot] == null ? FREE : commandIds[slot];
    }
    for (int slot = 0; slot < depth; slot++) {
      NvmeCallback callback = callbacks[slot];
      if (callback != null && commandIds[slot] == known[slot]) {
        release(slot);
        abandoned++;
        long context = contexts[slot];
        failures.attempt(() -> callback.completed(context, status.status()));
      }
    }
    return abandoned;
  }
}
