package org.gatun.simulated.nvme;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.gatun.simulated.DmaPort;
import org.gatun.specs.nvme.CompletionEntry;
import org.jspecify.annotations.Nullable;

/**
 * A completion queue. Its monitor guards it and the submission queues that complete into it, and
 * its port is theirs too.
 */
final class CompletionQueue {
  private record Waiting(
      SubmissionQueue queue, int commandId, int status, int result, long flipped) {}

  final int id;
  final boolean interrupts;
  final int vector;

  /** Those that complete into it: replaced as a whole, for who looks without the monitor. */
  volatile SubmissionQueue[] submissionQueues = {};

  final DmaPort port;
  private final long base;
  private final int entries;

  /** Completions of commands that took their time, while there was no room. */
  private final ArrayDeque<Waiting> backlog = new ArrayDeque<>();

  int head;
  private int tail;
  private boolean phase = true;

  /** Null if its doorbell is a register only. */
  @Nullable ShadowDoorbell shadow;

  /** Set once, by the deletion of the queue, or a reset: nothing is posted any more. */
  boolean deleted;

  /** Whether something was posted since the host was last interrupted. */
  boolean unannounced;

  /** What a shared doorbell read last; only the thread that polls them uses it. */
  int lastDoorbell;

  CompletionQueue(int id, long base, int entries, boolean interrupts, int vector, DmaPort port) {
    this.id = id;
    this.base = base;
    this.entries = entries;
    this.interrupts = interrupts;
    this.vector = vector;
    this.port = port;
  }

  void add(SubmissionQueue queue) {
    List<SubmissionQueue> more = new ArrayList<>(List.of(submissionQueues));
    more.add(queue);
    submissionQueues = more.toArray(SubmissionQueue[]::new);
  }

  void remove(SubmissionQueue queue) {
    List<SubmissionQueue> fewer = new ArrayList<>(List.of(submissionQueues));
    fewer.remove(queue);
    submissionQueues = fewer.toArray(SubmissionQueue[]::new);
  }

  boolean hasRoom() {
    return backlog.isEmpty() && next(tail) != head;
  }

  boolean isEmpty() {
    return head == tail;
  }

  /**
   * Posts a completion, or keeps it until there is room.
   *
   * @param flipped bits of its last two dwords that are the wrong way round: 0, if all goes well
   * @return false if DMA was refused
   */
  boolean post(SubmissionQueue queue, int commandId, int status, int result, long flipped) {
    if (hasRoom()) {
      return write(queue, commandId, status, result, flipped);
    }
    backlog.add(new Waiting(queue, commandId, status, result, flipped));
    return true;
  }

  /**
   * The host has consumed entries.
   *
   * @return false if that can't be: it is outside of the queue, or beyond what was posted
   */
  boolean setHead(int newHead) {
    if (newHead < 0 || newHead >= entries) {
      return false;
    }
    if (distance(head, newHead) > distance(head, tail)) {
      return false;
    }
    head = newHead;
    return true;
  }

  /**
   * Posts what waited for room.
   *
   * @return false if DMA was refused
   */
  boolean postBacklog() {
    while (!backlog.isEmpty() && next(tail) != head) {
      Waiting waiting = backlog.remove();
      if (!waiting.queue.deleted
          && !write(
              waiting.queue, waiting.commandId, waiting.status, waiting.result, waiting.flipped)) {
        return false;
      }
    }
    return true;
  }

  private boolean write(
      SubmissionQueue queue, int commandId, int status, int result, long flipped) {
    long entry = base + (long) tail * CompletionEntry.SIZE;
    int dword2 = CompletionEntry.dword2(queue.head, queue.id);
    int dword3 = CompletionEntry.dword3(commandId, phase, status);
    // The phase comes last: with it the rest of the entry is there.
    boolean written =
        port.writeLongs(
            entry,
            result & 0xffff_ffffL,
            ((dword2 & 0xffff_ffffL) | (long) dword3 << 32) ^ flipped);
    tail = next(tail);
    if (tail == 0) {
      phase = !phase;
    }
    unannounced = true;
    return written;
  }

  /** How many steps lead from an index to another. */
  private int distance(int from, int to) {
    return to >= from ? to - from : to - from + entries;
  }

  private int next(int index) {
    return index + 1 == entries ? 0 : index + 1;
  }
}
