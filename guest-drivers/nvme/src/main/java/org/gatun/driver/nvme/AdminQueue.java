package org.gatun.driver.nvme;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DeviceTimeoutException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.TimeSource;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.CompletionEntry;
import org.gatun.specs.nvme.Features;
import org.gatun.specs.nvme.SubmissionEntry;

/**
 * The admin queue pair: one command at a time, polled. Admin commands are few, and the completion
 * of one must not depend on the interrupts that others set up. One thread at a time: the controller
 * holds its lock.
 */
final class AdminQueue implements AutoCloseable {
  private static final int ENTRIES = 32;
  private static final long COMPLETIONS = PrpLists.PAGE_SIZE;
  private static final long DATA = 2L * PrpLists.PAGE_SIZE;
  private static final long MEMORY_SIZE = DATA + AdminCommand.IDENTIFY_SIZE;
  private static final int COMMAND_IDS = 1 << 15;

  private final DeviceName name;
  private final Registers registers;
  private final Doorbells doorbells;
  private final TimeSource time;
  private final Duration timeout;
  private final DmaBuffer memory;
  private int tail;
  private int head;
  private boolean phase;
  private int nextCommandId;

  AdminQueue(
      DeviceName name,
      DmaSpace dma,
      Registers registers,
      Doorbells doorbells,
      NvmeOptions options) {
    this.name = name;
    this.registers = registers;
    this.doorbells = doorbells;
    this.time = options.time();
    this.timeout = options.commandTimeout();
    this.memory = dma.allocate(MEMORY_SIZE, PrpLists.PAGE_SIZE);
  }

  /** Empties the queues, and enables the controller, which must be disabled, with them. */
  void enable() {
    // Not a fill of the segment, which fails in its own way when the memory was closed meanwhile.
    memory.copyIn(0, new byte[(int) MEMORY_SIZE]);
    tail = 0;
    head = 0;
    phase = true;
    registers.enable(ENTRIES, memory.busAddress(), memory.busAddress() + COMPLETIONS);
  }

  /**
   * Sends Identify.
   *
   * @return a copy of what it returned, in native memory: a view of heap memory would make each
   *     register access of the program slower (its type profile is shared)
   */
  MemorySegment identify(int cns, int namespaceId) {
    run(
        NvmeCommand.of(AdminOpcode.IDENTIFY, namespaceId, AdminCommand.identifyDword10(cns)),
        memory.busAddress() + DATA);
    MemorySegment copy = Arena.ofAuto().allocate(AdminCommand.IDENTIFY_SIZE);
    MemorySegment.copy(memory.segment(), DATA, copy, 0, AdminCommand.IDENTIFY_SIZE);
    return copy;
  }

  /**
   * Sets the number of I/O queue pairs (Base 5.27.1.5).
   *
   * @return what the controller allows, of as many as asked for
   */
  int setNumberOfQueues(int wanted) {
    int allowed =
        run(
            NvmeCommand.of(
                AdminOpcode.SET_FEATURES,
                0,
                Features.setDword10(Features.NUMBER_OF_QUEUES, false),
                Features.numberOfQueues(wanted, wanted)),
            0);
    return Math.min(
        wanted, Math.min(Features.submissionQueues(allowed), Features.completionQueues(allowed)));
  }

  /** Tells of the memory for doorbells and that for EventIdx, a page each (Base 5.8). */
  void configureDoorbellBuffer(long doorbellAddress, long eventAddress) {
    NvmeCommand command = NvmeCommand.of(AdminOpcode.DOORBELL_BUFFER_CONFIG, 0);
    run(command, doorbellAddress, eventAddress);
  }

  /** Creates an I/O completion queue; with a vector of -1 it does not interrupt (Base 5.4). */
  void createCompletionQueue(int id, int entries, long address, int vector) {
    run(
        NvmeCommand.of(
            AdminOpcode.CREATE_IO_COMPLETION_QUEUE,
            0,
            AdminCommand.createQueueDword10(id, entries),
            vector < 0
                ? AdminCommand.completionQueueDword11()
                : AdminCommand.completionQueueDword11(vector)),
        address);
  }

  /** Creates an I/O submission queue, for the completion queue of the same number (Base 5.5). */
  void createSubmissionQueue(int id, int entries, long address) {
    run(
        NvmeCommand.of(
            AdminOpcode.CREATE_IO_SUBMISSION_QUEUE,
            0,
            AdminCommand.createQueueDword10(id, entries),
            AdminCommand.submissionQueueDword11(id, AdminCommand.PRIORITY_MEDIUM)),
        address);
  }

  /** Deletes an I/O completion queue, whose submission queue is deleted already (Base 5.6). */
  void deleteCompletionQueue(int id) {
    delete(AdminOpcode.DELETE_IO_COMPLETION_QUEUE, id);
  }

  /** Deletes an I/O submission queue; its commands are complete then, or aborted (Base 5.7). */
  void deleteSubmissionQueue(int id) {
    delete(AdminOpcode.DELETE_IO_SUBMISSION_QUEUE, id);
  }

  private void delete(int opcode, int id) {
    run(NvmeCommand.of(opcode, 0, AdminCommand.deleteQueueDword10(id)), 0);
  }

  /** Asks the controller to abort a command, which it may do or not (Base 5.1). */
  void abort(int queueId, int commandId) {
    run(NvmeCommand.of(AdminOpcode.ABORT, 0, AdminCommand.abortDword10(queueId, commandId)), 0);
  }

  private int run(NvmeCommand command, long prp1) {
    return run(command, prp1, 0);
  }

  /**
   * Sends a command of the driver's, which must succeed.
   *
   * @return dword 0 of the completion
   * @throws NvmeStatusException if the command fails
   * @throws DeviceTimeoutException as {@link #send}, like the rest
   */
  private int run(NvmeCommand command, long prp1, long prp2) {
    NvmeResult result = send(command, prp1, prp2);
    if (!result.isSuccess()) {
      throw NvmeStatusException.ofAdmin(
          name, command.opcode(), result.status(), command.namespaceId());
    }
    return result.dword0();
  }

  /**
   * Sends a command, and waits for it.
   *
   * @return what became of it, without data
   * @throws NvmeFatalStatusException if the controller reports a fatal error instead
   * @throws DeviceTimeoutException if it is not complete in time: then the queue is of no use
   *     before the next {@link #enable}
   */
  NvmeResult send(NvmeCommand command, long prp1, long prp2) {
    int opcode = command.opcode();
    Duration limit = command.timeout().orElse(timeout);
    // Never the id of the command before: its late completion must not pass for this one's.
    int commandId = nextCommandId;
    nextCommandId = (nextCommandId + 1) % COMMAND_IDS;
    long entry = (long) tail * SubmissionEntry.SIZE;
    memory.putInt(entry + SubmissionEntry.DWORD0, SubmissionEntry.dword0(opcode, commandId));
    memory.putInt(entry + SubmissionEntry.NSID, command.namespaceId());
    memory.putLong(entry + SubmissionEntry.PRP1, prp1);
    memory.putLong(entry + SubmissionEntry.PRP2, prp2);
    memory.putLong(entry + SubmissionEntry.DWORD10, command.dwordPair(10));
    memory.putLong(entry + SubmissionEntry.DWORD12, command.dwordPair(12));
    memory.putLong(entry + SubmissionEntry.DWORD14, command.dwordPair(14));
    tail = (tail + 1) % ENTRIES;
    doorbells.ringAdmin(doorbells.submissionTail(0), tail);

    long completion = COMPLETIONS + (long) head * CompletionEntry.SIZE;
    if (!Patience.await(time, limit, () -> isComplete(completion, opcode))) {
      throw new DeviceTimeoutException(
          name,
          "%s was not completed within %d ms (CSTS %#x)"
              .formatted(AdminOpcode.name(opcode), limit.toMillis(), registers.status()),
          "reset the device",
          null);
    }
    // The entry can't change any more unless the controller breaks the protocol; each dword is read
    // once, so that what is checked is what is used.
    int dword3 = memory.getIntAcquire(completion + CompletionEntry.DWORD3);
    int dword2 = memory.getIntAcquire(completion + CompletionEntry.DWORD2);
    int dword1 = memory.getIntAcquire(completion + CompletionEntry.DWORD1);
    int dword0 = memory.getIntAcquire(completion + CompletionEntry.DWORD0);
    if (CompletionEntry.commandId(dword3) != commandId
        || CompletionEntry.submissionQueueId(dword2) != 0
        || CompletionEntry.submissionQueueHead(dword2) >= ENTRIES) {
      throw new DeviceProtocolException(
          name,
          "completion on the admin queue for command %d of queue %d, head %d, where only command %d is in flight"
              .formatted(
                  CompletionEntry.commandId(dword3),
                  CompletionEntry.submissionQueueId(dword2),
                  CompletionEntry.submissionQueueHead(dword2),
                  commandId),
          "reset the device",
          null);
    }
    head++;
    if (head == ENTRIES) {
      head = 0;
      phase = !phase;
    }
    doorbells.ringAdmin(doorbells.completionHead(0), head);
    return NvmeResult.withoutData(CompletionEntry.status(dword3), dword0, dword1);
  }

  private boolean isComplete(long completion, int opcode) {
    if (CompletionEntry.phase(memory.getIntAcquire(completion + CompletionEntry.DWORD3)) == phase) {
      return true;
    }
    // Throws for a controller that is gone or has given up: that need not wait for the time-out.
    registers.soundStatus(AdminOpcode.name(opcode));
    return false;
  }

  @Override
  public void close() {
    memory.close();
  }
}
