package org.gatun.simulated.nvme;

import java.io.UncheckedIOException;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.media.Media;
import org.gatun.specs.nvme.DatasetManagementRange;
import org.gatun.specs.nvme.NvmCommand;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SubmissionEntry;

/** The I/O commands of the one namespace (NVM 3). Called with the queue's monitor held. */
final class IoCommands {
  static final int NAMESPACE = 1;

  private static final int SUCCESS = DataPointer.SUCCESS;
  private static final int INVALID_FIELD = NvmeStatus.INVALID_FIELD_IN_COMMAND.status();
  private static final int INVALID_OPCODE = NvmeStatus.INVALID_COMMAND_OPCODE.status();
  private static final int INVALID_NAMESPACE = NvmeStatus.INVALID_NAMESPACE_OR_FORMAT.status();
  private static final int OUT_OF_RANGE = NvmeStatus.LBA_OUT_OF_RANGE.status();
  private static final int INTERNAL_ERROR = NvmeStatus.INTERNAL_ERROR.status();

  private final Media media;
  private final int blockShift;
  private final long blocks;
  private final long maxTransfer;

  IoCommands(NvmeModel model, Media media) {
    this.media = media;
    this.blockShift = Integer.numberOfTrailingZeros(model.blockSize());
    this.blocks = media.size() >>> blockShift;
    this.maxTransfer = model.maxTransfer();
  }

  /** How many blocks the namespace has. */
  long blocks() {
    return blocks;
  }

  /** Has all blocks read as zeros, and returns the status of that. */
  int erase() {
    try {
      media.zero(0, media.size());
      media.flush();
      return SUCCESS;
    } catch (InternalError | UncheckedIOException _) {
      return INTERNAL_ERROR;
    }
  }

  /** Executes a command, and returns its status. */
  int execute(SubmissionQueue queue, Command command, int pageSize) {
    if (!command.isPlain()) {
      return INVALID_FIELD;
    }
    try {
      return switch (command.opcode()) {
        case NvmOpcode.READ -> transfer(queue, command, pageSize, true);
        case NvmOpcode.WRITE -> transfer(queue, command, pageSize, false);
        case NvmOpcode.FLUSH -> flush(command);
        case NvmOpcode.WRITE_ZEROES -> writeZeroes(command);
        case NvmOpcode.DATASET_MANAGEMENT -> manageDataset(queue, command, pageSize);
        default -> INVALID_OPCODE;
      };
    } catch (InternalError | UncheckedIOException | OutOfMemoryError _) {
      // The file behind the media was cut short, or can't be written; or there is no memory for
      // more blocks of media in memory.
      return INTERNAL_ERROR;
    }
  }

  private int transfer(SubmissionQueue queue, Command command, int pageSize, boolean toHost) {
    if (command.nsid != NAMESPACE) {
      return INVALID_NAMESPACE;
    }
    long start = command.startingLba();
    int count = NvmCommand.blocks(command.dword12);
    long length = (long) count << blockShift;
    if (length > maxTransfer) {
      return INVALID_FIELD;
    }
    if (!isInside(start, count)) {
      return OUT_OF_RANGE;
    }
    int status =
        DataPointer.move(
            queue.completions.port, command, pageSize, media, start << blockShift, length, toHost);
    if (status == SUCCESS) {
      if (toHost) {
        queue.reads++;
        queue.bytesRead += length;
      } else {
        queue.writes++;
        queue.bytesWritten += length;
        if ((command.dword12 & NvmCommand.FORCE_UNIT_ACCESS) != 0) {
          media.flush();
        }
      }
    }
    return status;
  }

  private int flush(Command command) {
    if (command.nsid != NAMESPACE && command.nsid != SubmissionEntry.NSID_ALL) {
      return INVALID_NAMESPACE;
    }
    media.flush();
    return SUCCESS;
  }

  private int writeZeroes(Command command) {
    if (command.nsid != NAMESPACE) {
      return INVALID_NAMESPACE;
    }
    long start = command.startingLba();
    int count = NvmCommand.blocks(command.dword12);
    if (!isInside(start, count)) {
      return OUT_OF_RANGE;
    }
    media.zero(start << blockShift, (long) count << blockShift);
    return SUCCESS;
  }

  /** All ranges are checked before the first is deallocated. */
  private int manageDataset(SubmissionQueue queue, Command command, int pageSize) {
    if (command.nsid != NAMESPACE) {
      return INVALID_NAMESPACE;
    }
    int ranges = NvmCommand.ranges(command.dword10);
    int status =
        DataPointer.move(
            queue.completions.port,
            command,
            pageSize,
            queue.scratch,
            0,
            (long) ranges * DatasetManagementRange.SIZE,
            false);
    if (status != SUCCESS) {
      return status;
    }
    for (int i = 0; i < ranges; i++) {
      DatasetManagementRange range = DatasetManagementRange.read(queue.scratch.memory(), i);
      if (!isInside(range.startingLba(), range.blocks())) {
        return OUT_OF_RANGE;
      }
    }
    if ((command.dword11 & NvmCommand.DEALLOCATE) != 0) {
      for (int i = 0; i < ranges; i++) {
        DatasetManagementRange range = DatasetManagementRange.read(queue.scratch.memory(), i);
        media.zero(range.startingLba() << blockShift, range.blocks() << blockShift);
      }
    }
    return SUCCESS;
  }

  private boolean isInside(long start, long count) {
    return start >= 0 && start <= blocks && count <= blocks - start;
  }
}
