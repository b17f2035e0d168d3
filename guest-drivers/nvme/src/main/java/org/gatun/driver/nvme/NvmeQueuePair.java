package org.gatun.driver.nvme;

import java.time.Duration;
import java.util.List;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.PciException;
import org.gatun.pci.TimeSource;
import org.gatun.pci.spi.Failures;
import org.gatun.specs.nvme.CompletionEntry;
import org.gatun.specs.nvme.DatasetManagementRange;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.NvmCommand;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.Prp;
import org.gatun.specs.nvme.Sgl;
import org.gatun.specs.nvme.SubmissionEntry;
import org.jspecify.annotations.Nullable;

/**
 * An I/O submission queue with its completion queue. It belongs to <em>one thread</em>: only that
 * thread calls it, and this is not checked. Submitting, ringing and polling allocate nothing and
 * take no lock.
 *
 * <p>Commands are submitted, the controller is told with {@link #ring}, and {@link #poll} or {@link
 * #await} calls back for each that is complete, in any order. Until then the controller owns the
 * command's buffer, which must stay open. What is not rung for is not seen by the controller; its
 * time runs all the same.
 *
 * <p>Time-outs are looked at every 1024 polls, and while {@link #await} has nothing to do: who
 * stops polling hears of none. So is, when commands are in flight and none is completed for 10 ms,
 * whether the controller is still there and at work. What follows is told in the package's
 * description.
 *
 * <p>A controller that completes a command that is not in flight, or moves the head out of the
 * queue, has failed: poll throws {@link DeviceProtocolException}, and whatever was in flight is
 * completed with {@link NvmeStatus#COMMAND_ABORTED_BY_HOST} before. After that, and after {@link
 * NvmeController#close}, submitting, ringing and polling throw or do nothing.
 */
public final class NvmeQueuePair implements AutoCloseable {
  /** A power of two. */
  private static final int POLLS_PER_CHECK = 1024;

  private static final int POLLS_PER_CLOCK = 64;

  /** A wait for an interrupt looks up that often: at first, and, twice as long each time, later. */
  private static final Duration FIRST_LOOK = Duration.ofMillis(10);

  private static final Duration LOOK = Duration.ofMillis(100);

  /** With {@link Completion#ADAPTIVE}, the next completion is looked for as long as that. */
  private static final Duration BUSY = Duration.ofNanos(50_000);

  /** No epoch of a controller. */
  private static final int UNKNOWN = -1;

  /** With nothing completed for that long, CSTS is looked at. */
  private static final long QUIET_NANOS = FIRST_LOOK.toNanos();

  /** Polled, so many completions are acknowledged with one write, or more. */
  private static final int LEAST_BATCH = 32;

  private final NvmeController controller;
  private final int id;
  private final int depth;
  private final int entries;
  private final Completion completion;
  private final @Nullable InterruptLine line;
  private final DmaSpace dma;
  private final TimeSource time;
  private final long timeoutNanos;
  private final Duration firstLook;
  private final Duration look;

  private final Doorbells doorbells;
  private final long tailDoorbell;
  private final long headDoorbell;

  /** The submission queue, the completion queue, and the PRP lists, each from a page on. */
  private final DmaBuffer memory;

  private final long completions;
  private final long completionsEnd;
  private final int completionEntries;

  /**
   * Completions that are acknowledged at once. The queue has room for as many, and for all that are
   * in flight, so that the controller never waits for it. With interrupts it is one: by pin, they
   * go on until all are acknowledged.
   */
  private final int acknowledgedAt;

  private final PrpLists lists;

  /** One fewer than entries: the queue can't overflow. */
  private final CommandSlots slots;

  /** Of the submission queue: the next entry to write, and what the controller was told. */
  private int tail;

  private int rungTail;

  /** Of the completion queue: the offset in memory of the next entry, and what it was told. */
  private long head;

  private int acknowledgedHead;
  private int unacknowledged;
  private boolean phase;

  /** The epoch of the controller in which it knows these queues, or {@link #UNKNOWN}. */
  private int epoch;

  /** How often these queues were made: a callback that polls may live to see it change. */
  private int generation;

  /** Whether the submission queue was deleted, because a command was not completed. */
  private boolean submissionDeleted;

  private int polls;

  /**
   * Where the completion queue was at the last look, and when CSTS is to be read if it still is: or
   * is again, whole rounds later, which costs a read in vain.
   */
  private long seenHead;

  private long quietDeadline;
  private boolean closed;

  NvmeQueuePair(
      NvmeController controller,
      int id,
      int depth,
      Completion completion,
      @Nullable InterruptLine line,
      NvmeOptions options,
      DmaSpace dma) {
    this.controller = controller;
    this.id = id;
    this.depth = depth;
    this.entries = depth + 1;
    this.completion = completion;
    this.line = line;
    this.dma = dma;
    this.time = options.time();
    this.timeoutNanos = TimeSource.saturatedNanos(options.commandTimeout());
    this.firstLook = shorter(FIRST_LOOK, options.commandTimeout());
    this.look = shorter(LOOK, options.commandTimeout());
    this.doorbells = controller.doorbells();
    this.tailDoorbell = doorbells.submissionTail(id);
    this.headDoorbell = doorbells.completionHead(id);
    this.completionEntries =
        line == null
            ? Math.min(
                entries + Math.max(entries, LEAST_BATCH), controller.registers().maxQueueEntries())
            : entries;
    this.acknowledgedAt = Math.max(1, completionEntries - entries);
    this.completions = roundUp((long) entries * SubmissionEntry.SIZE);
    this.completionsEnd = completions + (long) completionEntries * CompletionEntry.SIZE;
    long listsStart = roundUp(completionsEnd);
    int maxTransferBytes = controller.maxTransferBytes();
    this.memory =
        dma.allocate(
            listsStart + depth * PrpLists.bytesPerSlot(maxTransferBytes), PrpLists.PAGE_SIZE);
    this.lists = new PrpLists(memory, listsStart, maxTransferBytes);
    this.slots = new CommandSlots(depth);
  }

  /** Its number, from 1. */
  public int id() {
    return id;
  }

  /** How many commands can be in flight. */
  public int depth() {
    return depth;
  }

  /**
   * The most pieces of a {@link ScatterList} that has others than whole pages; 0 if the controller
   * does not have SGLs.
   */
  public int maxPieces() {
    return controller.hasSgls() ? (int) (lists.bytesPerSlot() / Sgl.SIZE) : 0;
  }

  /** How many commands are in flight: submitted, whether rung for or not, and not completed. */
  public int inFlight() {
    return slots.inFlight();
  }

  /** How it learns of completions. */
  public Completion completion() {
    return completion;
  }

  /**
   * Submits a Read.
   *
   * @param lba the first logical block; beyond the end, the controller answers {@link
   *     NvmeStatus#LBA_OUT_OF_RANGE}
   * @param blocks 1 to {@link NvmeNamespace#maxTransferBlocks}
   * @param buffer takes the data
   * @param bufferOffset where in the buffer, in bytes: a multiple of 4
   * @param context for the callback
   * @return false if the queue is full: nothing was done; poll, and try again
   * @throws IllegalArgumentException if the number of blocks, or the offset's alignment, breaks its
   *     rule
   * @throws IndexOutOfBoundsException if the data do not fit the buffer
   */
  public boolean submitRead(
      NvmeNamespace namespace,
      long lba,
      int blocks,
      DmaBuffer buffer,
      long bufferOffset,
      NvmeCallback callback,
      long context) {
    return submitTransfer(
        NvmOpcode.READ, namespace, lba, blocks, buffer, bufferOffset, callback, context);
  }

  /** Submits a Write, of the data in a buffer: see {@link #submitRead}. */
  public boolean submitWrite(
      NvmeNamespace namespace,
      long lba,
      int blocks,
      DmaBuffer buffer,
      long bufferOffset,
      NvmeCallback callback,
      long context) {
    return submitTransfer(
        NvmOpcode.WRITE, namespace, lba, blocks, buffer, bufferOffset, callback, context);
  }

  /** As {@link #submitRead(NvmeNamespace, long, int, DmaBuffer, long, NvmeCallback, long)}. */
  public boolean submitRead(
      NvmeNamespace namespace,
      long lba,
      int blocks,
      PreparedBuffer buffer,
      long bufferOffset,
      NvmeCallback callback,
      long context) {
    return submitTransfer(
        NvmOpcode.READ, namespace, lba, blocks, buffer, bufferOffset, callback, context);
  }

  /** As {@link #submitRead(NvmeNamespace, long, int, DmaBuffer, long, NvmeCallback, long)}. */
  public boolean submitWrite(
      NvmeNamespace namespace,
      long lba,
      int blocks,
      PreparedBuffer buffer,
      long bufferOffset,
      NvmeCallback callback,
      long context) {
    return submitTransfer(
        NvmOpcode.WRITE, namespace, lba, blocks, buffer, bufferOffset, callback, context);
  }

  /**
   * Submits a Read into several pieces of memory.
   *
   * @param lba the first logical block
   * @param data as long as 1 to {@link NvmeNamespace#maxTransferBlocks} blocks
   * @param context for the callback
   * @return false if the queue is full
   * @throws IllegalArgumentException if the pieces are not as long as that
   * @throws PciException if the controller can't have them: without SGLs (Identify Controller,
   *     SGLS), each piece but the first begins at a page of 4096 bytes, at bus addresses, and each
   *     but the last ends with one; with SGLs, there are as many as {@link #maxPieces}
   */
  public boolean submitRead(
      NvmeNamespace namespace, long lba, ScatterList data, NvmeCallback callback, long context) {
    return submitScattered(NvmOpcode.READ, namespace, lba, data, callback, context);
  }

  /**
   * Submits a Write, gathered: see {@link #submitRead(NvmeNamespace, long, ScatterList,
   * NvmeCallback, long)}.
   */
  public boolean submitWrite(
      NvmeNamespace namespace, long lba, ScatterList data, NvmeCallback callback, long context) {
    return submitScattered(NvmOpcode.WRITE, namespace, lba, data, callback, context);
  }

  /**
   * Submits a Compare, of what a range holds with the data in a buffer: see {@link #submitRead}. A
   * difference is status {@link NvmeStatus#COMPARE_FAILURE}.
   *
   * @throws PciException if the controller does not have the command (ONCS)
   */
  public boolean submitCompare(
      NvmeNamespace namespace,
      long lba,
      int blocks,
      DmaBuffer buffer,
      long bufferOffset,
      NvmeCallback callback,
      long context) {
    require(IdentifyController.ONCS_COMPARE, "Compare", "read the blocks, and compare them");
    return submitTransfer(
        NvmOpcode.COMPARE, namespace, lba, blocks, buffer, bufferOffset, callback, context);
  }

  /**
   * Submits a Flush: what was written before, and is complete, is on the media when it is complete.
   *
   * @return false if the queue is full
   */
  public boolean submitFlush(NvmeNamespace namespace, NvmeCallback callback, long context) {
    return submit(NvmOpcode.FLUSH, namespace.id(), 0, 0, 0, 0, callback, context);
  }

  /**
   * Submits a Write Zeroes.
   *
   * @param blocks 1 to 65536
   * @return false if the queue is full
   * @throws PciException if the controller does not have the command (ONCS)
   */
  public boolean submitWriteZeroes(
      NvmeNamespace namespace, long lba, int blocks, NvmeCallback callback, long context) {
    require(IdentifyController.ONCS_WRITE_ZEROES, "Write Zeroes", "write zeros");
    checkBlocks("Write Zeroes", blocks);
    return submit(
        NvmOpcode.WRITE_ZEROES, namespace.id(), 0, 0, lba, blocks - 1L, callback, context);
  }

  /**
   * Submits a Verify: the controller reads the blocks, and returns no data.
   *
   * @param blocks 1 to 65536; a controller may take fewer (VSL), and says so
   * @return false if the queue is full
   * @throws PciException if the controller does not have the command (ONCS)
   */
  public boolean submitVerify(
      NvmeNamespace namespace, long lba, int blocks, NvmeCallback callback, long context) {
    require(IdentifyController.ONCS_VERIFY, "Verify", "read the blocks");
    checkBlocks("Verify", blocks);
    return submit(NvmOpcode.VERIFY, namespace.id(), 0, 0, lba, blocks - 1L, callback, context);
  }

  /**
   * Submits a Dataset Management that deallocates one range: its blocks may lose their content.
   *
   * @param blocks 1 to 2<sup>32</sup> - 1
   * @return false if the queue is full
   * @throws PciException if the controller does not have the command (ONCS)
   */
  public boolean submitDeallocate(
      NvmeNamespace namespace, long lba, long blocks, NvmeCallback callback, long context) {
    requireDatasetManagement();
    if (slots.areAllTaken()) {
      return false;
    }
    putRange(0, 0, blocks, lba);
    return submitRanges(1, namespace, callback, context);
  }

  /**
   * Submits a Dataset Management that deallocates ranges: their blocks may lose their content.
   *
   * @param ranges 1 to 256, each of 1 block at least; a controller may take fewer or smaller ones
   *     (DMRL and so on), and says so
   * @return false if the queue is full
   * @throws PciException if the controller does not have the command (ONCS)
   */
  public boolean submitDeallocate(
      NvmeNamespace namespace,
      List<DatasetManagementRange> ranges,
      NvmeCallback callback,
      long context) {
    requireDatasetManagement();
    if (ranges.isEmpty() || ranges.size() > NvmCommand.MAX_RANGES) {
      throw new IllegalArgumentException(
          "there are 1 to "
              + NvmCommand.MAX_RANGES
              + " ranges to deallocate, not "
              + ranges.size());
    }
    if (slots.areAllTaken()) {
      return false;
    }
    for (int i = 0; i < ranges.size(); i++) {
      DatasetManagementRange range = ranges.get(i);
      putRange(i, range.attributes(), range.blocks(), range.startingLba());
    }
    return submitRanges(ranges.size(), namespace, callback, context);
  }

  /** Tells the controller of all that was submitted: one register write, or none. */
  public void ring() {
    // After a reset the controller does not know this queue, until poll has noticed: see there.
    if (tail != rungTail && epoch == controller.epoch() && !submissionDeleted) {
      int from = rungTail;
      rungTail = tail;
      doorbells.ring(tailDoorbell, from, tail);
    }
  }

  /**
   * Calls back for the commands that are complete, at most {@link #depth}. Does not wait.
   *
   * @return how many there were; those that the driver itself gave up are counted too
   * @throws DeviceProtocolException if the controller broke the protocol
   * @throws DeviceGoneException if the controller is gone or closed
   * @throws PciException if the controller has failed before
   */
  public int poll() {
    if (submissionDeleted || epoch != controller.epoch()) {
      // Closed, and nothing is left: this throws, unless a callback that close runs is the caller.
      return closed && inFlight() == 0 ? reap() : recover();
    }
    try {
      return reap();
    } catch (DeviceGoneException e) {
      // Closed by another thread meanwhile: what is in flight is completed all the same.
      if (controller.isStoppedSince(epoch)) {
        return recover();
      }
      throw e;
    }
  }

  private int reap() {
    int done = 0;
    int reaped = generation;
    long last = head;
    while (done < depth) {
      // One read gives all: after it, what the controller wrote before it is seen too.
      int dword3 = memory.getIntAcquire(head + CompletionEntry.DWORD3);
      if (CompletionEntry.phase(dword3) != phase) {
        break;
      }
      int commandId = CompletionEntry.commandId(dword3);
      NvmeCallback callback = slots.complete(commandId);
      if (callback == null) {
        throw broken(
            "completed command %d, which is not in flight (completion %#x)"
                .formatted(commandId, dword3));
      }
      last = head;
      unacknowledged++;
      head += CompletionEntry.SIZE;
      if (head == completionsEnd) {
        head = completions;
        phase = !phase;
      }
      done++;
      callback.completed(slots.context(commandId), CompletionEntry.status(dword3));
    }
    if (done > 0 && reaped == generation) {
      // The entry is ours until it is acknowledged. Room is told by the free slots; so the head is
      // looked at only to notice a controller that has lost its mind.
      int dword2 = memory.getIntAcquire(last + CompletionEntry.DWORD2);
      if (CompletionEntry.submissionQueueHead(dword2) >= entries
          || CompletionEntry.submissionQueueId(dword2) != id) {
        throw broken(
            "reported head %d of queue %d, where the queue has %d entries"
                .formatted(
                    CompletionEntry.submissionQueueHead(dword2),
                    CompletionEntry.submissionQueueId(dword2),
                    entries));
      }
    }
    if (unacknowledged >= acknowledgedAt) {
      int from = acknowledgedHead;
      acknowledgedHead = (int) ((head - completions) / CompletionEntry.SIZE);
      unacknowledged = 0;
      doorbells.ring(headDoorbell, from, acknowledgedHead);
    }
    if ((++polls & (POLLS_PER_CHECK - 1)) == 0) {
      checkDeadlines();
    }
    return done;
  }

  /**
   * Waits until commands are complete, and calls back for them as {@link #poll} does. With {@link
   * Completion#INTERRUPT} the thread sleeps, with {@link Completion#POLL} it spins, and with {@link
   * Completion#ADAPTIVE} it spins first and sleeps then.
   *
   * @param limit how long at most, about
   * @return how many there were; 0 if there were none in time, or, with interrupts, if the thread
   *     was interrupted (its flag stays set)
   * @throws PciException as poll
   */
  public int await(Duration limit) {
    if (line == null) {
      return awaitPolling(limit);
    }
    if (completion == Completion.INTERRUPT) {
      return awaitInterrupt(line, limit);
    }
    long start = time.nanoTime();
    int done = awaitPolling(shorter(limit, BUSY));
    return done > 0 ? done : awaitInterrupt(line, limit.minusNanos(time.nanoTime() - start));
  }

  /**
   * Executes a command of any kind, and waits for it, whatever interrupts the thread. Nothing else
   * may be in flight: some commands demand that, and no callback is to run meanwhile. If the
   * command is not completed in time, what follows is that of each command; the time-out of its own
   * stands for the first one.
   *
   * @return what the controller answered, be it an error; with {@link
   *     NvmeStatus#COMMAND_ABORTED_BY_HOST} if the controller was reset, and the command may have
   *     taken effect or not
   * @throws IllegalArgumentException if there are more data than {@link
   *     NvmeController#maxTransferBytes}
   * @throws IllegalStateException if other commands are in flight
   * @throws PciException as {@link #poll}
   */
  public NvmeResult execute(NvmeCommand command) {
    if (inFlight() != 0) {
      throw new IllegalStateException(
          "%s: %d commands are in flight on queue %d, where %s is to be executed alone"
              .formatted(controller.name(), inFlight(), id, NvmOpcode.name(command.opcode())));
    }
    controller.checkLength(command);
    return CommandData.exchange(dma, command, (prp1, prp2) -> execute(command, prp1, prp2));
  }

  private NvmeResult execute(NvmeCommand command, long prp1, long prp2) {
    long entry = (long) tail * SubmissionEntry.SIZE;
    int slot = slots.next();
    int[] status = {0};
    submit(
        command.opcode(),
        command.namespaceId(),
        prp1,
        prp2,
        command.dwordPair(10),
        command.dwordPair(12),
        (_, completed) -> status[0] = completed,
        0);
    memory.putLong(entry + SubmissionEntry.DWORD14, command.dwordPair(14));
    command
        .timeout()
        .ifPresent(
            timeout -> slots.limit(slot, time.nanoTime() + TimeSource.saturatedNanos(timeout)));
    boolean interrupted = false;
    try {
      ring();
      while (inFlight() != 0) {
        interrupted |= Thread.interrupted();
        await(LOOK);
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
    // Other commands leave these dwords as they are: zero.
    memory.putLong(entry + SubmissionEntry.DWORD14, 0);
    // Of a command that was given up with the queue, the completion is not there: zeros are.
    long completion = (head == completions ? completionsEnd : head) - CompletionEntry.SIZE;
    return NvmeResult.withoutData(
        status[0],
        memory.getIntAcquire(completion + CompletionEntry.DWORD0),
        memory.getIntAcquire(completion + CompletionEntry.DWORD1));
  }

  /**
   * Deletes the queues and frees their memory. What is still in flight is completed first, by the
   * controller, or with {@link NvmeStatus#COMMAND_ABORTED_DUE_TO_SQ_DELETION}. Idempotent; by the
   * owner.
   *
   * @throws PciException if the controller does not delete the queues: it was reset then, or has
   *     failed, and all is given back even so. What callbacks throw is thrown too, at the end.
   */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    Failures failures = new Failures();
    // The commands in flight are complete, or never will be, once this is (Base 5.7).
    if (!submissionDeleted) {
      failures.attempt(() -> controller.deleteSubmissionQueue(this, epoch));
      submissionDeleted = true;
    }
    failures.attempt(this::recover);
    failures.attempt(() -> controller.forget(this, line));
    failures.rethrow();
  }

  int entries() {
    return entries;
  }

  int completionEntries() {
    return completionEntries;
  }

  long submissionAddress() {
    return memory.busAddress();
  }

  long completionAddress() {
    return memory.busAddress() + completions;
  }

  /** The interrupt vector; -1 without. */
  int vector() {
    return line == null ? -1 : line.vector();
  }

  void free() {
    memory.close();
  }

  private boolean submitTransfer(
      int opcode,
      NvmeNamespace namespace,
      long lba,
      int blocks,
      DmaBuffer buffer,
      long bufferOffset,
      NvmeCallback callback,
      long context) {
    checkTransfer(namespace, blocks, buffer, bufferOffset);
    if (slots.areAllTaken()) {
      return false;
    }
    long address = buffer.busAddress() + bufferOffset;
    long bytes = (long) blocks << namespace.blockShift();
    long second = lists.secondEntry(slots.next(), address, bytes);
    return submit(opcode, namespace.id(), address, second, lba, blocks - 1L, callback, context);
  }

  private boolean submitTransfer(
      int opcode,
      NvmeNamespace namespace,
      long lba,
      int blocks,
      PreparedBuffer prepared,
      long bufferOffset,
      NvmeCallback callback,
      long context) {
    DmaBuffer buffer = prepared.buffer();
    checkTransfer(namespace, blocks, buffer, bufferOffset);
    if (slots.areAllTaken()) {
      return false;
    }
    long address = buffer.busAddress() + bufferOffset;
    long bytes = (long) blocks << namespace.blockShift();
    long second = prepared.secondEntry(lists, slots.next(), address, bytes);
    return submit(opcode, namespace.id(), address, second, lba, blocks - 1L, callback, context);
  }

  private boolean submitScattered(
      int opcode,
      NvmeNamespace namespace,
      long lba,
      ScatterList data,
      NvmeCallback callback,
      long context) {
    long blocks = data.length() >>> namespace.blockShift();
    if (blocks < 1
        || blocks > namespace.maxTransferBlocks()
        || blocks << namespace.blockShift() != data.length()) {
      throw badLength(namespace, data);
    }
    data.checkOpen();
    if (!data.isOfWholePages()) {
      return submitSgl(opcode, namespace, lba, blocks, data, callback, context);
    }
    if (slots.areAllTaken()) {
      return false;
    }
    long second = lists.secondEntry(slots.next(), data);
    return submit(
        opcode, namespace.id(), data.address(0), second, lba, blocks - 1, callback, context);
  }

  /** With a descriptor of a segment, which has one for each piece (Base 4.1.2). */
  private boolean submitSgl(
      int opcode,
      NvmeNamespace namespace,
      long lba,
      long blocks,
      ScatterList data,
      NvmeCallback callback,
      long context) {
    int count = data.count();
    if (count > maxPieces()) {
      throw tooManyPieces(count);
    }
    if (slots.areAllTaken()) {
      return false;
    }
    long segment = lists.offset(slots.next());
    for (int i = 0; i < count; i++) {
      long descriptor = segment + (long) i * Sgl.SIZE;
      memory.putLong(descriptor + Sgl.ADDRESS, data.address(i));
      memory.putLong(descriptor + Sgl.SECOND_HALF, Sgl.secondHalf(Sgl.DATA_BLOCK, data.length(i)));
    }
    long entry = (long) tail * SubmissionEntry.SIZE;
    int dword0 = SubmissionEntry.dword0(opcode, slots.commandId(slots.next()));
    submit(
        opcode,
        namespace.id(),
        memory.busAddress() + segment,
        Sgl.secondHalf(Sgl.LAST_SEGMENT, (long) count * Sgl.SIZE),
        lba,
        blocks - 1,
        callback,
        context);
    memory.putInt(
        entry + SubmissionEntry.DWORD0,
        SubmissionEntry.withPsdt(dword0, SubmissionEntry.PSDT_SGL_BUFFER));
    return true;
  }

  private static void checkTransfer(
      NvmeNamespace namespace, int blocks, DmaBuffer buffer, long bufferOffset) {
    if (blocks < 1 || blocks > namespace.maxTransferBlocks()) {
      throw badTransfer(namespace, blocks);
    }
    long bytes = (long) blocks << namespace.blockShift();
    if (bufferOffset < 0 || bufferOffset > buffer.size() - bytes) {
      throw outOfBuffer(buffer, bufferOffset, bytes);
    }
    if ((bufferOffset & (Prp.OFFSET_ALIGNMENT - 1)) != 0) {
      throw new IllegalArgumentException(
          "the offset in the buffer is a multiple of 4, not " + bufferOffset);
    }
  }

  /**
   * Writes the submission queue entry. What is not written here is zero in each entry, and stays
   * so: dwords 2 and 3, the metadata pointer, dwords 13 to 15.
   */
  private boolean submit(
      int opcode,
      int namespaceId,
      long prp1,
      long prp2,
      long dwords10And11,
      long dword12,
      NvmeCallback callback,
      long context) {
    if (slots.areAllTaken()) {
      return false;
    }
    long entry = (long) tail * SubmissionEntry.SIZE;
    memory.putLong(
        entry + SubmissionEntry.DWORD0,
        Integer.toUnsignedLong(SubmissionEntry.dword0(opcode, slots.commandId(slots.next())))
            | (long) namespaceId << 32);
    memory.putLong(entry + SubmissionEntry.PRP1, prp1);
    memory.putLong(entry + SubmissionEntry.PRP2, prp2);
    memory.putLong(entry + SubmissionEntry.DWORD10, dwords10And11);
    memory.putLong(entry + SubmissionEntry.DWORD12, dword12);
    slots.take(callback, context);
    int next = tail + 1;
    tail = next == entries ? 0 : next;
    return true;
  }

  /** Puts a range where that of the next command goes: a list page has room for all (NVM 3.2.3). */
  private void putRange(int index, int attributes, long blocks, long lba) {
    if (blocks < 1 || blocks > 0xffff_ffffL) {
      throw new IllegalArgumentException(
          "a range to deallocate has 1 to 2^32 - 1 blocks, not " + blocks);
    }
    long range = nextList() + (long) index * DatasetManagementRange.SIZE;
    memory.putInt(range + DatasetManagementRange.ATTRIBUTES, attributes);
    memory.putInt(range + DatasetManagementRange.LENGTH, (int) blocks);
    memory.putLong(range + DatasetManagementRange.SLBA, lba);
  }

  private boolean submitRanges(
      int count, NvmeNamespace namespace, NvmeCallback callback, long context) {
    long dwords10And11 =
        Integer.toUnsignedLong(NvmCommand.rangesDword10(count))
            | (long) NvmCommand.DEALLOCATE << 32;
    return submit(
        NvmOpcode.DATASET_MANAGEMENT,
        namespace.id(),
        memory.busAddress() + nextList(),
        0,
        dwords10And11,
        0,
        callback,
        context);
  }

  /** The list page of the slot that submit takes next. */
  private long nextList() {
    return lists.offset(slots.next());
  }

  private int awaitPolling(Duration limit) {
    long deadline = 0;
    for (int turn = 0; ; turn++) {
      int done = poll();
      if (done > 0) {
        return done;
      }
      if (turn % POLLS_PER_CLOCK == 0) {
        long now = time.nanoTime();
        if (turn == 0) {
          deadline = now + TimeSource.saturatedNanos(limit);
        } else if (now - deadline >= 0) {
          return 0;
        }
      }
      time.spin();
    }
  }

  private int awaitInterrupt(InterruptLine interrupts, Duration limit) {
    int done = poll();
    if (done > 0) {
      return done;
    }
    long deadline = time.nanoTime() + TimeSource.saturatedNanos(limit);
    Duration slice = firstLook;
    while (true) {
      rearm(interrupts);
      done = poll();
      long left = deadline - time.nanoTime();
      if (done > 0 || left <= 0 || Thread.currentThread().isInterrupted()) {
        return done;
      }
      sleep(interrupts, shorter(slice, Duration.ofNanos(left)));
      done = poll();
      if (done > 0) {
        return done;
      }
      checkDeadlines();
      slice = shorter(slice.multipliedBy(2), look);
    }
  }

  // A device that was unplugged, or closed by another thread, throws here: then the poll that comes
  // next completes what is in flight, and throws.

  private void rearm(InterruptLine interrupts) {
    try {
      interrupts.rearm();
    } catch (DeviceGoneException e) {
      controller.lost(epoch, e);
    }
  }

  private void sleep(InterruptLine interrupts, Duration limit) {
    try {
      interrupts.await(limit);
    } catch (DeviceGoneException e) {
      controller.lost(epoch, e);
    }
  }

  private static Duration shorter(Duration a, Duration b) {
    return a.compareTo(b) < 0 ? a : b;
  }

  private void checkDeadlines() {
    long now = time.nanoTime();
    controller.attend(now);
    if (submissionDeleted || inFlight() == 0 || epoch != controller.epoch()) {
      // The next poll recovers: callbacks are called from there only.
      return;
    }
    if (head != seenHead) {
      seenHead = head;
      quietDeadline = now + QUIET_NANOS;
    } else if (now - quietDeadline >= 0) {
      quietDeadline = now + QUIET_NANOS;
      controller.checkAtWork(epoch);
      if (epoch != controller.epoch()) {
        // The next poll recovers: callbacks are called from there only.
        return;
      }
    }
    for (int slot = slots.overdue(0, now, timeoutNanos);
        slot >= 0;
        slot = slots.overdue(slot + 1, now, timeoutNanos)) {
      int commandId = slots.commandId(slot);
      if (slots.isAborting(slot)) {
        submissionDeleted = controller.deleteAfterAbort(this, epoch, commandId);
      } else {
        controller.abort(this, epoch, commandId);
        slots.aborting(slot, time.nanoTime() + timeoutNanos);
      }
      if (submissionDeleted || epoch != controller.epoch()) {
        // The next poll recovers: callbacks are called from there only.
        return;
      }
    }
  }

  /** The submission queue was deleted: takes the completions that there are, and deletes theirs. */
  private int reapTheLast(Failures failures) {
    int first = inFlight();
    int before = depth + 1;
    int reaped = generation;
    while (reaped == generation && epoch == controller.epoch() && inFlight() < before) {
      // A callback that throws ends the poll, not this: each turn completes a command.
      before = inFlight();
      failures.attempt(this::reap);
    }
    if (reaped == generation) {
      failures.attempt(() -> controller.deleteCompletionQueue(this, epoch));
      epoch = UNKNOWN;
    }
    return Math.max(0, first - inFlight());
  }

  /**
   * The queue was deleted, or the controller was reset, has failed or was closed: it uses the
   * memory of this queue no more. Makes the queues anew, where there is still a controller and this
   * is not being closed, and then completes what was in flight.
   */
  private int recover() {
    Failures failures = new Failures();
    int reaped = 0;
    NvmeStatus why = NvmeStatus.COMMAND_ABORTED_BY_HOST;
    if (submissionDeleted) {
      int deleted = generation;
      reaped = reapTheLast(failures);
      if (generation != deleted) {
        // A callback has polled, and so come here before.
        failures.rethrow();
        return reaped;
      }
      why = NvmeStatus.COMMAND_ABORTED_DUE_TO_SQ_DELETION;
    }
    if (!closed) {
      restart(failures);
    }
    int abandoned = slots.abandonAll(why, failures);
    failures.rethrow();
    return reaped + abandoned;
  }

  private void restart(Failures failures) {
    PciException failure = controller.failure("polling NVMe queue " + id);
    if (failure == null) {
      // If this throws, the epoch stays as it was: the next poll comes here again.
      failures.attempt(this::start);
    } else {
      failures.add(failure);
    }
  }

  /** Empties both queues, and tells the controller of them, which does not know them yet. */
  void start() {
    // Not a fill of the segment, which fails in its own way when the memory was closed meanwhile.
    memory.copyIn(0, new byte[(int) completionsEnd]);
    tail = 0;
    rungTail = 0;
    head = completions;
    acknowledgedHead = 0;
    unacknowledged = 0;
    phase = true;
    generation++;
    epoch = controller.createQueues(this);
    submissionDeleted = false;
  }

  private DeviceProtocolException broken(String what) {
    DeviceProtocolException failure =
        controller.fail(
            new DeviceProtocolException(
                controller.name(),
                "the controller, on NVMe queue %d, %s".formatted(id, what),
                "reset the device",
                null));
    Failures failures = new Failures();
    failures.add(failure);
    slots.abandonAll(NvmeStatus.COMMAND_ABORTED_BY_HOST, failures);
    return failure;
  }

  private void requireDatasetManagement() {
    require(
        IdentifyController.ONCS_DATASET_MANAGEMENT,
        "Dataset Management",
        "write zeroes, or leave the blocks as they are");
  }

  private void require(int oncs, String command, String remedy) {
    if (!controller.supports(oncs)) {
      throw new PciException(
          controller.name(), "the controller does not have " + command + " (ONCS)", remedy, null);
    }
  }

  private static void checkBlocks(String command, int blocks) {
    if (blocks < 1 || blocks > NvmCommand.MAX_BLOCKS) {
      throw new IllegalArgumentException(
          command + " takes 1 to " + NvmCommand.MAX_BLOCKS + " blocks, not " + blocks);
    }
  }

  private static IllegalArgumentException badLength(NvmeNamespace namespace, ScatterList data) {
    return new IllegalArgumentException(
        "a transfer of %s has 1 to %d blocks, not %d bytes"
            .formatted(namespace, namespace.maxTransferBlocks(), data.length()));
  }

  private PciException tooManyPieces(int count) {
    return new PciException(
        controller.name(),
        controller.hasSgls()
            ? "%d pieces of memory are more than the %d of one command"
                .formatted(count, maxPieces())
            : "the controller does not have SGLs, which pieces of memory need that are no whole"
                + " pages",
        "let each but the first begin at a page of %d bytes, and each but the last end with one"
            .formatted(PrpLists.PAGE_SIZE),
        null);
  }

  private static IllegalArgumentException badTransfer(NvmeNamespace namespace, int blocks) {
    return new IllegalArgumentException(
        "a transfer of %s has 1 to %d blocks, not %d"
            .formatted(namespace, namespace.maxTransferBlocks(), blocks));
  }

  private static IndexOutOfBoundsException outOfBuffer(DmaBuffer buffer, long offset, long bytes) {
    return new IndexOutOfBoundsException(
        "%d bytes at offset %d are not inside the %s".formatted(bytes, offset, buffer));
  }

  private static long roundUp(long size) {
    return (size + PrpLists.PAGE_SIZE - 1) / PrpLists.PAGE_SIZE * PrpLists.PAGE_SIZE;
  }
}
