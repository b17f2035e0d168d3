package org.gatun.driver.nvme;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntPredicate;
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
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SubmissionEntry;

/**
 * The admin queue pair: one command at a time, polled, besides requests for asynchronous events,
 * which wait. Admin commands are few, and the completion of one must not depend on the interrupts
 * that others set up. One thread at a time: the controller holds its lock.
 */
final class AdminQueue implements AutoCloseable {
  private static final int ENTRIES = 32;
  private static final long COMPLETIONS = PrpLists.PAGE_SIZE;
  private static final long DATA = 2L * PrpLists.PAGE_SIZE;
  private static final long MEMORY_SIZE = DATA + AdminCommand.IDENTIFY_SIZE;
  private static final int COMMAND_IDS = 1 << 15;

  /** The first identifier of requests for events: no command has it, nor those that follow. */
  private static final int EVENT_IDS = COMMAND_IDS;

  /** Linux has one. With several, as many events are told at once. */
  private static final int MAX_EVENT_REQUESTS = 4;

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

  /** By request: whether the controller has it. */
  private final boolean[] requested = new boolean[MAX_EVENT_REQUESTS];

  private int refusedRequests;

  /** What requests were completed with, and nobody has taken yet. */
  private final ArrayDeque<Integer> events = new ArrayDeque<>();

  // Read without the lock, by who would rather not wait for it.

  private volatile boolean hasEvents;
  private volatile boolean busy;

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
    Arrays.fill(requested, false);
    registers.enable(ENTRIES, memory.busAddress(), memory.busAddress() + COMPLETIONS);
  }

  /** Sends Identify: a copy of what it returned. */
  MemorySegment identify(int cns, int namespaceId) {
    MemorySegment answer = Arena.ofAuto().allocate(AdminCommand.IDENTIFY_SIZE);
    identify(cns, namespaceId, answer);
    return answer;
  }

  /**
   * Sends Identify.
   *
   * @param answer gets a copy of what it returned. In native memory: a view of heap memory would
   *     make each register access of the program slower (its type profile is shared)
   */
  void identify(int cns, int namespaceId, MemorySegment answer) {
    run(
        NvmeCommand.of(AdminOpcode.IDENTIFY, namespaceId, AdminCommand.identifyDword10(cns)),
        memory.busAddress() + DATA);
    MemorySegment.copy(memory.segment(), DATA, answer, 0, AdminCommand.IDENTIFY_SIZE);
  }

  /**
   * Sets the number of I/O queue pairs (Base 5.27.1.5).
   *
   * @return what the controller allows, of as many as asked for
   */
  int setNumberOfQueues(int wanted) {
    int allowed = setFeature(Features.NUMBER_OF_QUEUES, Features.numberOfQueues(wanted, wanted));
    return Math.min(
        wanted, Math.min(Features.submissionQueues(allowed), Features.completionQueues(allowed)));
  }

  /** Tells of the memory for doorbells and that for EventIdx, a page each (Base 5.8). */
  void configureDoorbellBuffer(long doorbellAddress, long eventAddress) {
    NvmeCommand command = NvmeCommand.of(AdminOpcode.DOORBELL_BUFFER_CONFIG, 0);
    run(command, doorbellAddress, eventAddress);
  }

  /** Sets a feature, until the next reset; returns dword 0 of the completion. */
  int setFeature(int feature, int value) {
    return run(
        NvmeCommand.of(AdminOpcode.SET_FEATURES, 0, Features.setDword10(feature, false), value), 0);
  }

  /** KATO in milliseconds (Base 5.27.1.12): 0 if the timer does not run. */
  long keepAliveTimeoutMillis() {
    int dword10 = Features.getDword10(Features.KEEP_ALIVE_TIMER, Features.SELECT_CURRENT);
    return Integer.toUnsignedLong(run(NvmeCommand.of(AdminOpcode.GET_FEATURES, 0, dword10), 0));
  }

  /** Tells the controller that its host is there (Base 5.18). */
  void keepAlive() {
    run(NvmeCommand.of(AdminOpcode.KEEP_ALIVE, 0), 0);
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

  /** Sends a command with up to a page of data, for which the queue has memory. */
  NvmeResult exchange(NvmeCommand command) {
    // Filled up with zeros: nobody gets what was there before.
    byte[] data = new byte[command.dataLength()];
    MemorySegment.ofArray(data).copyFrom(command.data());
    memory.copyIn(DATA, data);
    NvmeResult result =
        send(command, command.dataLength() == 0 ? 0 : memory.busAddress() + DATA, 0);
    return result.isSuccess()
        ? result.withData(CommandData.returned(command, memory, DATA))
        : result;
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
    // Never the id of the command before: its late completion must not pass for this one's.
    int commandId = nextCommandId;
    nextCommandId = (nextCommandId + 1) % COMMAND_IDS;
    busy = true;
    try {
      enter(command, commandId, prp1, prp2);
      Duration limit = command.timeout().orElse(timeout);
      if (!Patience.await(time, limit, () -> isComplete(command.opcode()))) {
        throw new DeviceTimeoutException(
            name,
            "%s was not completed within %d ms (CSTS %#x)"
                .formatted(
                    AdminOpcode.name(command.opcode()), limit.toMillis(), registers.status()),
            "reset the device",
            null);
      }
      Completed completed = take(id -> id == commandId, "command " + commandId + " is");
      return NvmeResult.withoutData(
          CompletionEntry.status(completed.dword3), completed.dword0, completed.dword1);
    } finally {
      busy = false;
    }
  }

  /** Writes the entry of a command, and tells the controller. */
  private void enter(NvmeCommand command, int commandId, long prp1, long prp2) {
    long entry = (long) tail * SubmissionEntry.SIZE;
    memory.putInt(
        entry + SubmissionEntry.DWORD0, SubmissionEntry.dword0(command.opcode(), commandId));
    memory.putInt(entry + SubmissionEntry.NSID, command.namespaceId());
    memory.putLong(entry + SubmissionEntry.PRP1, prp1);
    memory.putLong(entry + SubmissionEntry.PRP2, prp2);
    memory.putLong(entry + SubmissionEntry.DWORD10, command.dwordPair(10));
    memory.putLong(entry + SubmissionEntry.DWORD12, command.dwordPair(12));
    memory.putLong(entry + SubmissionEntry.DWORD14, command.dwordPair(14));
    tail = (tail + 1) % ENTRIES;
    doorbells.ringAdmin(doorbells.submissionTail(0), tail);
  }

  private boolean isComplete(int opcode) {
    takeEvents();
    if (isCompletionThere()) {
      return true;
    }
    // Throws for a controller that is gone or has given up: that need not wait for the time-out.
    registers.soundStatus(AdminOpcode.name(opcode));
    return false;
  }

  /** Whether something is complete. Without the lock it may be wrong, but not for long. */
  boolean isCompletionThere() {
    long completion = COMPLETIONS + (long) head * CompletionEntry.SIZE;
    return CompletionEntry.phase(memory.getIntAcquire(completion + CompletionEntry.DWORD3))
        == phase;
  }

  /**
   * Takes the completion that is at the head, and gives its place back.
   *
   * @param expected whether the command of an identifier is in flight
   * @param inFlight which are, for a message
   * @throws DeviceProtocolException if it is another's
   */
  private Completed take(IntPredicate expected, String inFlight) {
    // The entry can't change any more unless the controller breaks the protocol; each dword is read
    // once, so that what is checked is what is used.
    long completion = COMPLETIONS + (long) head * CompletionEntry.SIZE;
    int dword3 = memory.getIntAcquire(completion + CompletionEntry.DWORD3);
    int dword2 = memory.getIntAcquire(completion + CompletionEntry.DWORD2);
    int dword1 = memory.getIntAcquire(completion + CompletionEntry.DWORD1);
    int dword0 = memory.getIntAcquire(completion + CompletionEntry.DWORD0);
    if (!expected.test(CompletionEntry.commandId(dword3))
        || CompletionEntry.submissionQueueId(dword2) != 0
        || CompletionEntry.submissionQueueHead(dword2) >= ENTRIES) {
      throw new DeviceProtocolException(
          name,
          "completion on the admin queue for command %d of queue %d, head %d, where only %s in flight"
              .formatted(
                  CompletionEntry.commandId(dword3),
                  CompletionEntry.submissionQueueId(dword2),
                  CompletionEntry.submissionQueueHead(dword2),
                  inFlight),
          "reset the device",
          null);
    }
    head++;
    if (head == ENTRIES) {
      head = 0;
      phase = !phase;
    }
    doorbells.ringAdmin(doorbells.completionHead(0), head);
    return new Completed(dword0, dword1, dword3);
  }

  private record Completed(int dword0, int dword1, int dword3) {}

  // Asynchronous events (Base 5.2).

  /**
   * Requests events: as many at a time as the controller allows, and as this has room for. To be
   * called again when some were taken, and after {@link #enable}.
   *
   * @param limit AERL + 1
   */
  void requestEvents(int limit) {
    for (int i = 0; i < Math.min(limit - refusedRequests, MAX_EVENT_REQUESTS); i++) {
      if (!requested[i]) {
        requested[i] = true;
        enter(NvmeCommand.of(AdminOpcode.ASYNCHRONOUS_EVENT_REQUEST, 0), EVENT_IDS + i, 0, 0);
      }
    }
  }

  /** Whether somebody waits for a command. Without the lock. */
  boolean isBusy() {
    return busy;
  }

  /** Whether events were taken that nobody has fetched. Without the lock. */
  boolean hasEvents() {
    return hasEvents;
  }

  /**
   * Takes the events that there are, which lets an interrupt go that stands for them.
   *
   * @throws DeviceProtocolException if something else was completed
   */
  void lookForEvents() {
    takeEvents();
    if (isCompletionThere()) {
      take(_ -> false, "requests for events are");
    }
  }

  /** Fetches dword 0 of the events that were taken, in order: no more than were requested. */
  List<Integer> fetchEvents() {
    List<Integer> fetched = List.copyOf(events);
    events.clear();
    hasEvents = false;
    return fetched;
  }

  /** Ends: each completion is of a request that is outstanding, and none is requested here. */
  private void takeEvents() {
    while (isCompletionThere()) {
      long completion = COMPLETIONS + (long) head * CompletionEntry.SIZE;
      int dword3 = memory.getIntAcquire(completion + CompletionEntry.DWORD3);
      int request = CompletionEntry.commandId(dword3) - EVENT_IDS;
      if (request < 0 || request >= MAX_EVENT_REQUESTS || !requested[request]) {
        return;
      }
      Completed completed = take(id -> id == EVENT_IDS + request, "requests for events are");
      requested[request] = false;
      if (NvmeStatus.isSuccess(CompletionEntry.status(completed.dword3))) {
        events.add(completed.dword0);
        hasEvents = true;
      } else {
        // One too many, or the controller has none of this: it is not asked again.
        refusedRequests++;
      }
    }
  }

  @Override
  public void close() {
    memory.close();
  }
}
