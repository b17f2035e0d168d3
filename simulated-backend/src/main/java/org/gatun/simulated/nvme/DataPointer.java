package org.gatun.simulated.nvme;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.gatun.simulated.DmaPort;
import org.gatun.simulated.media.DeviceMemory;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.Prp;

/**
 * Moves the data of a command along its PRP entries (Base 4.1.1), or has {@link ScatterGather} do
 * so. Stateless.
 */
final class DataPointer {
  static final int SUCCESS = 0;
  private static final int OFFSET_INVALID = NvmeStatus.PRP_OFFSET_INVALID.status();
  private static final int TRANSFER_ERROR = NvmeStatus.DATA_TRANSFER_ERROR.status();

  /** No list has it: a page does not begin there. */
  private static final long REFUSED = -1;

  private DataPointer() {}

  /**
   * Sends a part of a structure to the host; what is beyond its end is zero.
   *
   * @param offset 0 to the size of the structure
   * @param size more than 0
   * @return a status
   */
  static int send(
      SubmissionQueue queue,
      Command command,
      int pageSize,
      MemorySegment data,
      long offset,
      long size) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment copy = arena.allocate(size);
      MemorySegment.copy(data, offset, copy, 0, Math.min(size, data.byteSize() - offset));
      return move(queue.completions.port, command, pageSize, new Scratch(copy), 0, size, true);
    }
  }

  /**
   * Receives a structure from the host.
   *
   * @param data native memory, as long as the structure
   * @return a status
   */
  static int receive(SubmissionQueue queue, Command command, int pageSize, MemorySegment data) {
    long size = data.byteSize();
    return move(queue.completions.port, command, pageSize, new Scratch(data), 0, size, false);
  }

  /**
   * Moves data, and allocates nothing. Each entry is read once, and checked. A chain of lists ends,
   * since each page of it moves data and the length is given.
   *
   * @param length more than 0
   * @return a status
   */
  static int move(
      DmaPort port,
      Command command,
      int pageSize,
      DeviceMemory memory,
      long offset,
      long length,
      boolean toHost) {
    if (command.isScatterGather()) {
      return ScatterGather.move(port, command, memory, offset, length, toHost);
    }
    int pageOffset = Prp.offset(command.prp1, pageSize);
    if (pageOffset % Prp.OFFSET_ALIGNMENT != 0) {
      return OFFSET_INVALID;
    }
    long done = Math.min(length, pageSize - pageOffset);
    if (!moveContiguous(port, command.prp1, memory, offset, done, toHost)) {
      return TRANSFER_ERROR;
    }
    if (done == length) {
      return SUCCESS;
    }
    if (length - done <= pageSize) {
      if (Prp.offset(command.prp2, pageSize) != 0) {
        return OFFSET_INVALID;
      }
      return moveContiguous(port, command.prp2, memory, offset + done, length - done, toHost)
          ? SUCCESS
          : TRANSFER_ERROR;
    }
    return moveList(port, command.prp2, pageSize, memory, offset + done, length - done, toHost);
  }

  private static int moveList(
      DmaPort port,
      long firstList,
      int pageSize,
      DeviceMemory memory,
      long offset,
      long length,
      boolean toHost) {
    if (Prp.offset(firstList, pageSize) % Prp.LIST_ALIGNMENT != 0) {
      return OFFSET_INVALID;
    }
    long list = firstList;
    int entries = Prp.entriesInPage(list, pageSize);
    long done = 0;
    while (done < length) {
      long entry = port.readLong(list, REFUSED);
      if (entry == REFUSED) {
        return TRANSFER_ERROR;
      }
      if (Prp.offset(entry, pageSize) != 0) {
        return OFFSET_INVALID;
      }
      if (entries == 1 && length - done > pageSize) {
        // The last entry of a page, when there is more than it could name, points to the next list.
        list = entry;
        entries = Prp.entriesInPage(list, pageSize);
      } else {
        long part = Math.min(length - done, pageSize);
        if (!moveContiguous(port, entry, memory, offset + done, part, toHost)) {
          return TRANSFER_ERROR;
        }
        done += part;
        list += Prp.ENTRY_SIZE;
        entries--;
      }
    }
    return SUCCESS;
  }

  /** Moves data that are contiguous on the bus; false if DMA was refused. */
  static boolean moveContiguous(
      DmaPort port,
      long busAddress,
      DeviceMemory memory,
      long offset,
      long length,
      boolean toHost) {
    return toHost
        ? memory.toHost(port, busAddress, offset, length)
        : memory.fromHost(port, busAddress, offset, length);
  }
}
