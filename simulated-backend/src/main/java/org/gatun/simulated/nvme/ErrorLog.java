package org.gatun.simulated.nvme;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import org.gatun.specs.nvme.ErrorLogEntry;

/** The newest errors (Base 5.16.1.2). Its monitor comes after those of queues. */
final class ErrorLog {
  static final int ENTRIES = 16;

  private final ArrayDeque<ErrorLogEntry> newest = new ArrayDeque<>();
  private long count;

  synchronized void add(SubmissionQueue queue, Command command, int status) {
    ErrorLogEntry entry = ErrorLogEntry.create();
    entry.setErrorCount(++count);
    entry.setSubmissionQueueId(queue.id);
    entry.setCommandId(command.id());
    entry.setStatusField(status << 1);
    entry.setNamespaceId(Integer.toUnsignedLong(command.nsid));
    if (queue.id != 0) {
      entry.setLba(command.startingLba());
    }
    if (newest.size() == ENTRIES) {
      newest.removeLast();
    }
    newest.addFirst(entry);
  }

  synchronized long count() {
    return count;
  }

  /** Newest first; the rest stays zero. */
  synchronized void write(MemorySegment page) {
    long offset = 0;
    for (ErrorLogEntry entry : newest) {
      MemorySegment.copy(entry.segment(), 0, page, offset, ErrorLogEntry.SIZE);
      offset += ErrorLogEntry.SIZE;
    }
  }

  synchronized void clear() {
    newest.clear();
    count = 0;
  }
}
