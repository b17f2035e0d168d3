package org.gatun.benchmarks;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.DmaPort;
import org.gatun.simulated.FunctionDescription;
import org.gatun.simulated.ModelContext;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.RunningModel;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.CompletionEntry;
import org.gatun.specs.nvme.NvmeRegisters;
import org.gatun.specs.nvme.SubmissionEntry;

/**
 * An NVMe controller whose first I/O queue completes each command at once and moves no data: what
 * is left is the driver's own work. All else is done by the simulated controller.
 */
record InstantNvme(NvmeModel model) implements DeviceModel {
  @Override
  public FunctionDescription description() {
    return model.description();
  }

  @Override
  public RunningModel start(ModelContext context) {
    return new Running(model.start(context), context.newDmaPort());
  }

  private static final class Running implements RunningModel {
    private static final ValueLayout.OfInt INT =
        ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG =
        ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final long ADMIN_TAIL = NvmeRegisters.submissionTailDoorbell(0, 0);
    private static final long TAIL = NvmeRegisters.submissionTailDoorbell(1, 0);
    private static final long HEAD = NvmeRegisters.completionHeadDoorbell(1, 0);

    private final RunningModel controller;
    private final DmaPort memory;
    private final MemorySegment command = MemorySegment.ofArray(new byte[SubmissionEntry.SIZE]);

    private long adminQueue;
    private int adminTail;
    private long submissions;
    private long completions;
    private int entries;
    private int completionEntries;
    private int tail;
    private int completed;
    private boolean phase;

    Running(RunningModel controller, DmaPort memory) {
      this.controller = controller;
      this.memory = memory;
    }

    @Override
    public long read(int bar, long offset, int width) {
      return controller.read(bar, offset, width);
    }

    @Override
    public void write(int bar, long offset, int width, long value) {
      if (offset == TAIL && submissions != 0) {
        completeUpTo((int) value);
      } else if (offset != HEAD || submissions == 0) {
        watch(offset, value);
        controller.write(bar, offset, width, value);
      }
    }

    private void completeUpTo(int newTail) {
      while (tail != newTail) {
        // In the first dword: the command identifier. All commands succeed.
        int dword0 = (int) memory.readLong(submissions + (long) tail * SubmissionEntry.SIZE);
        tail = tail + 1 == entries ? 0 : tail + 1;
        long entry = completions + (long) completed * CompletionEntry.SIZE;
        long low = Integer.toUnsignedLong(CompletionEntry.dword2(tail, 1));
        long high =
            Integer.toUnsignedLong(
                CompletionEntry.dword3(SubmissionEntry.commandId(dword0), phase, 0));
        memory.writeLong(entry + CompletionEntry.DWORD2, high << 32 | low);
        if (++completed == completionEntries) {
          completed = 0;
          phase = !phase;
        }
      }
    }

    /** Learns where the queues are. */
    private void watch(long offset, long value) {
      if (offset == NvmeRegisters.ASQ) {
        adminQueue = value;
        adminTail = 0;
        submissions = 0;
      } else if (offset == ADMIN_TAIL) {
        while (adminTail != value) {
          memory.read(
              adminQueue + (long) adminTail * SubmissionEntry.SIZE,
              command,
              0,
              SubmissionEntry.SIZE);
          watchCommand();
          adminTail++;
        }
      }
    }

    private void watchCommand() {
      int dword10 = command.get(INT, SubmissionEntry.DWORD10);
      if (AdminCommand.queueId(dword10) != 1) {
        return;
      }
      switch (SubmissionEntry.opcode(command.get(INT, SubmissionEntry.DWORD0))) {
        case AdminOpcode.CREATE_IO_COMPLETION_QUEUE -> {
          completions = command.get(LONG, SubmissionEntry.PRP1);
          completionEntries = AdminCommand.queueEntries(dword10);
          completed = 0;
          phase = true;
        }
        case AdminOpcode.CREATE_IO_SUBMISSION_QUEUE -> {
          submissions = command.get(LONG, SubmissionEntry.PRP1);
          entries = AdminCommand.queueEntries(dword10);
          tail = 0;
        }
        case AdminOpcode.DELETE_IO_SUBMISSION_QUEUE -> submissions = 0;
        default -> {}
      }
    }

    @Override
    public void reset() {
      submissions = 0;
      controller.reset();
    }

    @Override
    public void close() {
      controller.close();
    }
  }
}
