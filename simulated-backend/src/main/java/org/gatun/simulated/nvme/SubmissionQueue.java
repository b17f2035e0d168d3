package org.gatun.simulated.nvme;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.gatun.specs.nvme.SubmissionEntry;
import org.jspecify.annotations.Nullable;

/** A submission queue. Guarded by the monitor of its completion queue. */
final class SubmissionQueue {
  final int id;
  final CompletionQueue completions;

  /** Room for an entry, for the ranges of Dataset Management, or for data to compare. */
  final Scratch scratch;

  final Comparison comparison;

  /** Of the command being processed. */
  final Command command = new Command();

  /** Commands that take their time. */
  final List<Command> outstanding = new ArrayList<>();

  private final long base;
  private final int entries;
  int head;
  int tail;

  /** Null if its doorbell is a register only. */
  @Nullable ShadowDoorbell shadow;

  /** Set once, by the deletion of the queue, or a reset. */
  boolean deleted;

  /** What a shared doorbell read last; only the thread that polls them uses it. */
  int lastDoorbell;

  long reads;
  long writes;
  long bytesRead;
  long bytesWritten;
  long mediaErrors;

  SubmissionQueue(int id, long base, int entries, CompletionQueue completions, Scratch scratch) {
    this.id = id;
    this.base = base;
    this.entries = entries;
    this.completions = completions;
    this.scratch = scratch;
    this.comparison = new Comparison(scratch.memory());
  }

  /** The host has submitted; false if the index is outside of the queue. */
  boolean setTail(int newTail) {
    if (newTail < 0 || newTail >= entries) {
      return false;
    }
    tail = newTail;
    return true;
  }

  /** Whether all that was submitted, as far as is known, was taken. */
  boolean isEmpty() {
    return head == tail;
  }

  /** Whether a command may be taken: a host that goes on without completions has to wait. */
  boolean isReady() {
    return head != tail && outstanding.size() < entries && completions.hasRoom();
  }

  /** Takes the next command into {@link #command}; false if DMA was refused. */
  boolean fetch() {
    MemorySegment entry = scratch.memory();
    if (!completions.port.read(
        base + (long) head * SubmissionEntry.SIZE, entry, 0, SubmissionEntry.SIZE)) {
      return false;
    }
    head = head + 1 == entries ? 0 : head + 1;
    command.load(entry);
    return true;
  }

  /** Whether a command to a namespace, or to all, takes its time. */
  boolean isUsing(Namespace namespace) {
    for (Command candidate : outstanding) {
      if (candidate.nsid == namespace.id || candidate.nsid == SubmissionEntry.NSID_ALL) {
        return true;
      }
    }
    return false;
  }

  /** Nothing takes its time any more. */
  void dropOutstanding() {
    outstanding.forEach(Command::drop);
    outstanding.clear();
  }

  /** Takes a command off those that take their time. */
  @Nullable Command takeOutstanding(int commandId) {
    for (Command candidate : outstanding) {
      if (candidate.id() == commandId) {
        outstanding.remove(candidate);
        candidate.drop();
        return candidate;
      }
    }
    return null;
  }
}
