package org.gatun.simulated.nvme;

import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import org.gatun.simulated.NvmeModel;
import org.gatun.specs.nvme.DatasetManagementRange;
import org.gatun.specs.nvme.NvmCommand;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SubmissionEntry;

/** The I/O commands (NVM 3). Called with the queue's monitor held. */
final class IoCommands {
  private static final int SUCCESS = DataPointer.SUCCESS;
  private static final int INVALID_FIELD = NvmeStatus.INVALID_FIELD_IN_COMMAND.status();
  private static final int INVALID_OPCODE = NvmeStatus.INVALID_COMMAND_OPCODE.status();
  private static final int INVALID_NAMESPACE = NvmeStatus.INVALID_NAMESPACE_OR_FORMAT.status();
  private static final int FORMAT_IN_PROGRESS = NvmeStatus.FORMAT_IN_PROGRESS.status();
  private static final int OUT_OF_RANGE = NvmeStatus.LBA_OUT_OF_RANGE.status();
  private static final int COMPARE_FAILURE = NvmeStatus.COMPARE_FAILURE.status();
  private static final int INTERNAL_ERROR = NvmeStatus.INTERNAL_ERROR.status();

  private final Namespaces namespaces;
  private final long maxTransfer;
  private final boolean scatterGather;

  IoCommands(Namespaces namespaces, NvmeModel model) {
    this.namespaces = namespaces;
    this.maxTransfer = model.maxTransfer();
    this.scatterGather = model.hasScatterGather();
  }

  /** Executes a command, and returns its status. */
  int execute(SubmissionQueue queue, Command command, int pageSize) {
    if (!command.isPlain() && !(scatterGather && command.isScatterGather())) {
      return INVALID_FIELD;
    }
    try {
      if (command.nsid == SubmissionEntry.NSID_ALL && command.opcode() == NvmOpcode.FLUSH) {
        namespaces.flush(); // VWC says that it takes all (NVM 3.2.1)
        return SUCCESS;
      }
      Namespace namespace = namespaces.find(command.nsid);
      if (namespace == null) {
        return INVALID_NAMESPACE;
      }
      int blockShift = namespace.blockShift();
      return blockShift == Namespace.FORMATTING
          ? FORMAT_IN_PROGRESS
          : execute(queue, command, pageSize, namespace, blockShift);
    } catch (InternalError | UncheckedIOException _) {
      queue.mediaErrors++; // the file behind the media was cut short, or can't be written
      return INTERNAL_ERROR;
    } catch (OutOfMemoryError _) {
      return INTERNAL_ERROR; // there is no memory for more blocks of media in memory
    }
  }

  private int execute(
      SubmissionQueue queue, Command command, int pageSize, Namespace namespace, int blockShift) {
    return switch (command.opcode()) {
      case NvmOpcode.READ -> transfer(queue, command, pageSize, namespace, blockShift, true);
      case NvmOpcode.WRITE -> transfer(queue, command, pageSize, namespace, blockShift, false);
      case NvmOpcode.FLUSH -> {
        namespace.media.flush();
        yield SUCCESS;
      }
      case NvmOpcode.COMPARE -> compare(queue, command, pageSize, namespace, blockShift);
      case NvmOpcode.VERIFY -> verify(queue, command, namespace, blockShift);
      case NvmOpcode.WRITE_ZEROES -> writeZeroes(command, namespace, blockShift);
      case NvmOpcode.DATASET_MANAGEMENT ->
          manageDataset(queue, command, pageSize, namespace, blockShift);
      default -> INVALID_OPCODE;
    };
  }

  private int transfer(
      SubmissionQueue queue,
      Command command,
      int pageSize,
      Namespace namespace,
      int blockShift,
      boolean toHost) {
    long length = length(command, blockShift);
    int status = checkRange(command, namespace, blockShift, length);
    if (status != SUCCESS) {
      return status;
    }
    status =
        DataPointer.move(
            queue.completions.port,
            command,
            pageSize,
            namespace.media,
            command.startingLba() << blockShift,
            length,
            toHost);
    if (status == SUCCESS) {
      if (toHost) {
        queue.reads++;
        queue.bytesRead += length;
      } else {
        queue.writes++;
        queue.bytesWritten += length;
        if ((command.dword12 & NvmCommand.FORCE_UNIT_ACCESS) != 0) {
          namespace.media.flush();
        }
      }
    }
    return status;
  }

  private int compare(
      SubmissionQueue queue, Command command, int pageSize, Namespace namespace, int blockShift) {
    long length = length(command, blockShift);
    int status = checkRange(command, namespace, blockShift, length);
    if (status != SUCCESS) {
      return status;
    }
    Comparison comparison = queue.comparison;
    comparison.begin(namespace.media);
    status =
        DataPointer.move(
            queue.completions.port,
            command,
            pageSize,
            comparison,
            command.startingLba() << blockShift,
            length,
            false);
    if (status != SUCCESS) {
      return status;
    }
    queue.reads++;
    queue.bytesRead += length;
    return comparison.isEqual() ? SUCCESS : COMPARE_FAILURE;
  }

  /** Reads what there is, and no more: blocks have no protection information to check. */
  private int verify(SubmissionQueue queue, Command command, Namespace namespace, int blockShift) {
    long length = length(command, blockShift);
    int status = checkRange(command, namespace, blockShift, length);
    if (status != SUCCESS) {
      return status;
    }
    long start = command.startingLba() << blockShift;
    MemorySegment buffer = queue.scratch.memory();
    for (long done = 0; done < length; done += buffer.byteSize()) {
      namespace.media.read(start + done, buffer, 0, Math.min(length - done, buffer.byteSize()));
    }
    queue.reads++;
    queue.bytesRead += length;
    return SUCCESS;
  }

  private static int writeZeroes(Command command, Namespace namespace, int blockShift) {
    long start = command.startingLba();
    int count = NvmCommand.blocks(command.dword12);
    if (!isInside(namespace, blockShift, start, count)) {
      return OUT_OF_RANGE;
    }
    namespace.media.zero(start << blockShift, (long) count << blockShift);
    return SUCCESS;
  }

  /** All ranges are checked before the first is deallocated. */
  private static int manageDataset(
      SubmissionQueue queue, Command command, int pageSize, Namespace namespace, int blockShift) {
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
      if (!isInside(namespace, blockShift, range.startingLba(), range.blocks())) {
        return OUT_OF_RANGE;
      }
    }
    if ((command.dword11 & NvmCommand.DEALLOCATE) != 0) {
      for (int i = 0; i < ranges; i++) {
        DatasetManagementRange range = DatasetManagementRange.read(queue.scratch.memory(), i);
        namespace.media.zero(range.startingLba() << blockShift, range.blocks() << blockShift);
      }
    }
    return SUCCESS;
  }

  private static long length(Command command, int blockShift) {
    return (long) NvmCommand.blocks(command.dword12) << blockShift;
  }

  /** The limit of MDTS is that of Verify, too: see VSL in {@link Identify}. */
  private int checkRange(Command command, Namespace namespace, int blockShift, long length) {
    if (length > maxTransfer) {
      return INVALID_FIELD;
    }
    return isInside(namespace, blockShift, command.startingLba(), length >>> blockShift)
        ? SUCCESS
        : OUT_OF_RANGE;
  }

  private static boolean isInside(Namespace namespace, int blockShift, long start, long count) {
    long blocks = namespace.media.size() >>> blockShift;
    return start >= 0 && start <= blocks && count <= blocks - start;
  }
}
