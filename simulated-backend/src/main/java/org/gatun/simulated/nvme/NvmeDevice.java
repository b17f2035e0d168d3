package org.gatun.simulated.nvme;

import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.gatun.simulated.Agenda;
import org.gatun.simulated.DmaPort;
import org.gatun.simulated.ModelContext;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.RunningModel;
import org.gatun.simulated.fault.Effect;
import org.gatun.simulated.fault.Fault;
import org.gatun.specs.nvme.Aqa;
import org.gatun.specs.nvme.AsynchronousEvent;
import org.gatun.specs.nvme.Cap;
import org.gatun.specs.nvme.Cc;
import org.gatun.specs.nvme.CompletionEntry;
import org.gatun.specs.nvme.Csts;
import org.gatun.specs.nvme.DatasetManagementRange;
import org.gatun.specs.nvme.LogPage;
import org.gatun.specs.nvme.NvmCommand;
import org.gatun.specs.nvme.NvmeRegisters;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SubmissionEntry;
import org.gatun.specs.nvme.Version;
import org.jspecify.annotations.Nullable;

/**
 * The controller: registers, doorbells and queues.
 *
 * <p>Locks, in this order: the controller's monitor (registers other than doorbells, the admin
 * queue, creation and deletion of queues), the monitor of a completion queue (with its submission
 * queues), those of logs and interrupts. An I/O doorbell takes only that of its queue.
 */
public final class NvmeDevice implements RunningModel {
  /** What executing a command returns if it is completed later, or never. */
  static final int DEFERRED = -1;

  /** The most entries of a queue (CAP.MQES + 1). */
  static final int MAX_ENTRIES = 4096;

  static final int CQES = CompletionEntry.SIZE_LOG2;

  /** Of 64 KiB: CAP.MPSMAX. */
  private static final int MAX_PAGE_LOG2 = 16;

  private static final int MIN_PAGE_LOG2 = 12;
  private static final int SCRATCH = NvmCommand.MAX_RANGES * DatasetManagementRange.SIZE;

  /** In the unit of CAP.TO, 500 ms. */
  private static final int READY_TIMEOUT = 1;

  /** I/O since power-up. */
  record Traffic(long reads, long writes, long bytesRead, long bytesWritten, long mediaErrors) {
    static final Traffic NONE = new Traffic(0, 0, 0, 0, 0);

    Traffic plus(SubmissionQueue queue) {
      return new Traffic(
          reads + queue.reads,
          writes + queue.writes,
          bytesRead + queue.bytesRead,
          bytesWritten + queue.bytesWritten,
          mediaErrors + queue.mediaErrors);
    }
  }

  private final ModelContext context;
  private final Duration latency;
  private final Agenda agenda;
  private final long cap;
  private final Namespaces namespaces;
  private final Arena arena = Arena.ofShared();
  private final Scratch[] scratches;
  private final @Nullable DmaPort[] ports;
  private final QueueInterrupts interrupts;
  private final ErrorLog errors = new ErrorLog();
  private final Events events;
  private final IoCommands io;
  private final AdminCommands admin;
  private final AtomicReferenceArray<@Nullable SubmissionQueue> submissionQueues;
  private final AtomicReferenceArray<@Nullable CompletionQueue> completionQueues;
  private final @Nullable DoorbellPoller poller;

  /** All completion queues that there are: replaced as a whole, for the poller. */
  private volatile CompletionQueue[] activeQueues = {};

  /** CSTS: written by any thread that finds a fatal error. */
  private final AtomicInteger csts = new AtomicInteger();

  private int cc;
  private int aqa;
  private long asq;
  private long acq;
  private volatile int pageSize = 1 << MIN_PAGE_LOG2;
  private @Nullable DoorbellBuffers doorbellBuffers;
  private Traffic pastTraffic = Traffic.NONE;

  /**
   * Powers a controller up.
   *
   * @throws org.gatun.pci.DeviceUnavailableException if its file can't be used
   */
  public NvmeDevice(ModelContext context, NvmeModel model) {
    this.context = context;
    this.latency = model.latency();
    this.agenda = new Agenda(context);
    this.cap = capabilities();
    this.namespaces = new Namespaces(context.name(), model);
    this.interrupts = new QueueInterrupts(context);
    FeatureValues features = new FeatureValues(model.queues());
    this.events = new Events(features);
    this.io = new IoCommands(namespaces, model);
    this.admin = new AdminCommands(this, model, namespaces, features, events, context.time());
    int ids = model.queues() + 1;
    this.submissionQueues = new AtomicReferenceArray<>(ids);
    this.completionQueues = new AtomicReferenceArray<>(ids);
    this.ports = new DmaPort[ids];
    this.scratches = new Scratch[ids];
    for (int id = 0; id < ids; id++) {
      scratches[id] = new Scratch(arena.allocate(SCRATCH, Long.BYTES));
    }
    this.poller = model.hasSharedDoorbells() ? new DoorbellPoller(this, context) : null;
    if (poller != null) {
      poller.start();
    }
  }

  @Override
  public long read(int bar, long offset, int width) {
    return register(offset & ~7L) >>> (8 * (offset & 7));
  }

  @Override
  public void write(int bar, long offset, int width, long value) {
    if (offset >= NvmeRegisters.DOORBELLS) {
      if (width == 4) {
        int index = (int) (offset - NvmeRegisters.DOORBELLS) / 4;
        ring(index >>> 1, (index & 1) != 0, (int) value);
      }
    } else if (width >= 4) {
      synchronized (this) {
        writeRegister(offset, (int) value);
        if (width == 8) {
          writeRegister(offset + 4, (int) (value >>> 32));
        }
      }
    }
  }

  @Override
  public synchronized void reset() {
    stop();
    cc = 0;
    aqa = 0;
    asq = 0;
    acq = 0;
    csts.set(0);
    if (poller != null) {
      poller.reset();
    }
  }

  @Override
  public void close() {
    reset();
    agenda.clear();
    if (poller != null) {
      poller.close();
    }
    namespaces.close();
    arena.close();
  }

  // For the poller of shared doorbells.

  /** All that there are; one that is no more is not rung. Not to be changed. */
  CompletionQueue[] activeQueues() {
    return activeQueues;
  }

  @Nullable SubmissionQueue submissionQueue(int id) {
    return submissionQueues.get(id);
  }

  @Nullable CompletionQueue completionQueue(int id) {
    return completionQueues.get(id);
  }

  // For the registers.

  int queueIds() {
    return submissionQueues.length();
  }

  /**
   * A doorbell was written.
   *
   * @param id any value
   * @param value any value
   */
  void ring(int id, boolean completion, int value) {
    boolean known = id < queueIds();
    if (completion) {
      ring(known ? completionQueues.get(id) : null, value);
    } else {
      ring(known ? submissionQueues.get(id) : null, value);
    }
  }

  /**
   * The doorbell of a submission queue was written.
   *
   * @param queue null if there is none; one that is no more is not rung
   * @param value any value
   */
  void ring(@Nullable SubmissionQueue queue, int value) {
    if (!takesDoorbells()) {
      return;
    }
    if (queue == null) {
      reportDoorbell(AsynchronousEvent.ERROR_INVALID_DOORBELL_REGISTER);
    } else if (queue.id == 0) {
      synchronized (this) {
        ringSubmission(queue, value);
      }
    } else {
      ringSubmission(queue, value);
    }
  }

  /** As {@link #ring(SubmissionQueue, int)}, of a completion queue. */
  void ring(@Nullable CompletionQueue queue, int value) {
    if (!takesDoorbells()) {
      return;
    }
    if (queue == null) {
      reportDoorbell(AsynchronousEvent.ERROR_INVALID_DOORBELL_REGISTER);
    } else if (queue.id == 0) {
      synchronized (this) {
        ringCompletion(queue, value);
      }
    } else {
      ringCompletion(queue, value);
    }
  }

  /** Nothing goes on until the host resets the controller. */
  void fail() {
    csts.updateAndGet(s -> Csts.withCfs(s, true));
  }

  // For Admin commands, with the controller's monitor held.

  int pageSize() {
    return pageSize;
  }

  /** Whether CC has the sizes of queue entries that there are. */
  boolean hasEntrySizes() {
    return Cc.iosqes(cc) == SubmissionEntry.SIZE_LOG2 && Cc.iocqes(cc) == CQES;
  }

  ErrorLog errors() {
    return errors;
  }

  boolean hasIoQueues() {
    for (int id = 1; id < queueIds(); id++) {
      if (submissionQueues.get(id) != null || completionQueues.get(id) != null) {
        return true;
      }
    }
    return false;
  }

  void createCompletionQueue(int id, long base, int entries, boolean interrupting, int vector) {
    DmaPort port = ports[id];
    if (port == null) {
      port = context.newDmaPort();
      ports[id] = port;
    }
    if (poller != null) {
      poller.clear(id, true);
    }
    CompletionQueue queue = new CompletionQueue(id, base, entries, interrupting, vector, port);
    if (doorbellBuffers != null && !shadow(queue, doorbellBuffers)) {
      fail();
    }
    completionQueues.set(id, queue);
    publishQueues();
  }

  void createSubmissionQueue(int id, long base, int entries, CompletionQueue completions) {
    SubmissionQueue queue = new SubmissionQueue(id, base, entries, completions, scratches[id]);
    if (poller != null) {
      poller.clear(id, false);
    }
    synchronized (completions) {
      if (doorbellBuffers != null && !shadow(queue, doorbellBuffers)) {
        fail();
      }
      completions.add(queue);
    }
    submissionQueues.set(id, queue);
  }

  int deleteCompletionQueue(int id) {
    CompletionQueue queue = id == 0 || id >= queueIds() ? null : completionQueues.get(id);
    if (queue == null) {
      return NvmeStatus.INVALID_QUEUE_IDENTIFIER.status();
    }
    synchronized (queue) {
      if (queue.submissionQueues.length > 0) {
        return NvmeStatus.INVALID_QUEUE_DELETION.status();
      }
      queue.deleted = true;
    }
    completionQueues.set(id, null);
    publishQueues();
    interrupts.emptied(queue);
    return DataPointer.SUCCESS;
  }

  int deleteSubmissionQueue(int id) {
    SubmissionQueue queue = id == 0 || id >= queueIds() ? null : submissionQueues.get(id);
    if (queue == null) {
      return NvmeStatus.INVALID_QUEUE_IDENTIFIER.status();
    }
    CompletionQueue completions = queue.completions;
    synchronized (completions) {
      for (Command command : queue.outstanding) {
        post(queue, command.id(), NvmeStatus.COMMAND_ABORTED_DUE_TO_SQ_DELETION.status(), 0);
      }
      forget(queue);
      completions.remove(queue);
      announce(completions);
    }
    submissionQueues.set(id, null);
    return DataPointer.SUCCESS;
  }

  /**
   * From now on doorbells are in the host's memory, too, until a reset.
   *
   * @return whether they can be: if DMA was refused, they are registers only, as they may have been
   */
  boolean shadowDoorbells(DoorbellBuffers buffers) {
    doorbellBuffers = buffers;
    boolean written = true;
    for (int id = 0; id < queueIds() && written; id++) {
      CompletionQueue completions = completionQueues.get(id);
      if (completions != null) {
        synchronized (completions) {
          written = shadow(completions, buffers);
          for (SubmissionQueue queue : completions.submissionQueues) {
            written = written && shadow(queue, buffers);
          }
        }
      }
    }
    if (!written) {
      dropShadows();
    }
    return written;
  }

  private void dropShadows() {
    doorbellBuffers = null;
    for (int id = 0; id < queueIds(); id++) {
      CompletionQueue completions = completionQueues.get(id);
      if (completions != null) {
        synchronized (completions) {
          completions.shadow = null;
          for (SubmissionQueue queue : completions.submissionQueues) {
            queue.shadow = null;
          }
        }
      }
    }
  }

  /** Aborts a command that takes its time; false if there is no such command. */
  boolean abort(int queueId, int commandId) {
    SubmissionQueue queue = queueId < queueIds() ? submissionQueues.get(queueId) : null;
    if (queue == null) {
      return false;
    }
    if (queueId == 0 && events.abort(commandId)) {
      post(queue, commandId, NvmeStatus.COMMAND_ABORT_REQUESTED.status(), 0);
      return true;
    }
    synchronized (queue.completions) {
      Command command = queue.takeOutstanding(commandId);
      if (command == null) {
        return false;
      }
      post(queue, command.id(), NvmeStatus.COMMAND_ABORT_REQUESTED.status(), 0);
      if (queueId != 0) { // which is being processed: this is one of its commands
        process(queue);
      }
      return true;
    }
  }

  /**
   * Whether a command to a namespace, which was closed before, is in progress: when it returns
   * false, none is any more.
   */
  boolean isInUse(Namespace namespace) {
    for (int id = 1; id < queueIds(); id++) {
      SubmissionQueue queue = submissionQueues.get(id);
      if (queue != null) {
        synchronized (queue.completions) {
          if (queue.isUsing(namespace)) {
            return true;
          }
        }
      }
    }
    return false;
  }

  /**
   * Completes an Admin command later.
   *
   * @param action what is done just before, even if a reset has ended the queue meanwhile
   */
  void completeLater(Duration time, SubmissionQueue queue, Command command, Runnable action) {
    Command held = command.copy();
    agenda.add(
        time,
        () -> {
          synchronized (this) {
            synchronized (queue.completions) {
              action.run();
              if (!queue.deleted) {
                complete(queue, held, DataPointer.SUCCESS, 0);
                reportEvents();
                announce(queue.completions);
              }
            }
          }
        });
  }

  /** What the queues have moved since power-up. */
  Traffic traffic() {
    Traffic sum = pastTraffic;
    for (int id = 0; id < queueIds(); id++) {
      SubmissionQueue queue = submissionQueues.get(id);
      if (queue != null) {
        synchronized (queue.completions) {
          sum = sum.plus(queue);
        }
      }
    }
    return sum;
  }

  private long capabilities() {
    long value = Cap.withMqes(0, MAX_ENTRIES - 1);
    value = Cap.withCqr(value, true);
    value = Cap.withTo(value, READY_TIMEOUT);
    value = Cap.withCss(value, Cap.CSS_NVM);
    return Cap.withMpsmax(value, MAX_PAGE_LOG2 - MIN_PAGE_LOG2);
  }

  private synchronized long register(long offset) {
    if (offset == NvmeRegisters.CAP) {
      return cap;
    } else if (offset == NvmeRegisters.VS) {
      return pair(Version.V1_4, interrupts.mask());
    } else if (offset == NvmeRegisters.INTMC) {
      return pair(interrupts.mask(), cc);
    } else if (offset == (NvmeRegisters.CSTS & ~7)) {
      return pair(0, csts.get());
    } else if (offset == (NvmeRegisters.AQA & ~7)) {
      return pair(0, aqa);
    } else if (offset == NvmeRegisters.ASQ) {
      return asq;
    } else if (offset == NvmeRegisters.ACQ) {
      return acq;
    }
    return 0;
  }

  private void writeRegister(long offset, int value) {
    if (offset == NvmeRegisters.INTMS) {
      interrupts.mask(interrupts.mask() | value);
    } else if (offset == NvmeRegisters.INTMC) {
      interrupts.mask(interrupts.mask() & ~value);
    } else if (offset == NvmeRegisters.CC) {
      writeConfiguration(value);
    } else if (offset == NvmeRegisters.AQA) {
      aqa = value & 0x0fff_0fff;
    } else if (offset == NvmeRegisters.ASQ) {
      asq = (asq & ~0xffff_ffffL) | (value & 0xffff_f000L);
    } else if (offset == NvmeRegisters.ASQ + 4) {
      asq = (asq & 0xffff_ffffL) | (long) value << 32;
    } else if (offset == NvmeRegisters.ACQ) {
      acq = (acq & ~0xffff_ffffL) | (value & 0xffff_f000L);
    } else if (offset == NvmeRegisters.ACQ + 4) {
      acq = (acq & 0xffff_ffffL) | (long) value << 32;
    }
  }

  private void writeConfiguration(int value) {
    int before = cc;
    cc = value;
    if (Cc.en(before) && !Cc.en(value)) {
      stop();
      csts.set(0);
    } else if (!Cc.en(before) && Cc.en(value)) {
      enable();
    }
    if (Cc.shn(value) != Cc.SHN_NONE && Cc.shn(before) == Cc.SHN_NONE) {
      shutDown();
    } else if (Cc.shn(value) == Cc.SHN_NONE && Cc.shn(before) != Cc.SHN_NONE) {
      csts.updateAndGet(s -> Csts.withShst(s, Csts.SHST_NORMAL_OPERATION));
    }
  }

  private void shutDown() {
    try {
      namespaces.flush();
      csts.updateAndGet(s -> Csts.withShst(s, Csts.SHST_COMPLETE));
    } catch (InternalError | UncheckedIOException _) {
      fail(); // the file behind the media can't be written
    }
  }

  /** Base 3.5.1: what the host has set up is checked now. */
  private void enable() {
    long page = (long) Cc.pageSize(cc);
    int submissionEntries = Aqa.submissionEntries(aqa);
    int completionEntries = Aqa.completionEntries(aqa);
    if (page > 1 << MAX_PAGE_LOG2
        || Cc.css(cc) != Cc.CSS_NVM
        || Cc.ams(cc) != 0
        || submissionEntries < Aqa.MIN_ENTRIES
        || completionEntries < Aqa.MIN_ENTRIES
        || ((asq | acq) & (page - 1)) != 0) {
      fail();
      return;
    }
    pageSize = (int) page;
    createCompletionQueue(0, acq, completionEntries, true, 0);
    createSubmissionQueue(0, asq, submissionEntries, completionQueueOrThrow(0));
    csts.updateAndGet(s -> Csts.withRdy(s, true));
  }

  /** Controller Reset: when it returns, no queue is processed any more. */
  private void stop() {
    for (int id = 0; id < queueIds(); id++) {
      CompletionQueue queue = completionQueues.get(id);
      if (queue != null) {
        synchronized (queue) {
          queue.deleted = true;
          for (SubmissionQueue submissions : queue.submissionQueues) {
            forget(submissions);
          }
        }
      }
      submissionQueues.set(id, null);
      completionQueues.set(id, null);
    }
    publishQueues();
    doorbellBuffers = null;
    admin.reset();
    interrupts.reset();
  }

  private void publishQueues() {
    List<CompletionQueue> active = new ArrayList<>();
    for (int id = 0; id < queueIds(); id++) {
      CompletionQueue queue = completionQueues.get(id);
      if (queue != null) {
        active.add(queue);
      }
    }
    activeQueues = active.toArray(CompletionQueue[]::new);
  }

  private void forget(SubmissionQueue queue) {
    queue.deleted = true;
    queue.dropOutstanding();
    pastTraffic = pastTraffic.plus(queue);
  }

  private boolean takesDoorbells() {
    return Csts.rdy(csts.get()) && !Csts.cfs(csts.get());
  }

  private void reportDoorbell(int problem) {
    report(
        AsynchronousEvent.dword0(AsynchronousEvent.TYPE_ERROR, problem, LogPage.ERROR_INFORMATION));
  }

  private static boolean shadow(CompletionQueue queue, DoorbellBuffers buffers) {
    queue.shadow =
        buffers.has(queue.id)
            ? new ShadowDoorbell(queue.port, buffers, queue.id, true, queue.id != 0)
            : null;
    return queue.shadow == null || queue.shadow.begin(queue.head);
  }

  private static boolean shadow(SubmissionQueue queue, DoorbellBuffers buffers) {
    queue.shadow =
        buffers.has(queue.id)
            ? new ShadowDoorbell(queue.completions.port, buffers, queue.id, false, queue.id != 0)
            : null;
    return queue.shadow == null || queue.shadow.begin(queue.tail);
  }

  private void ringSubmission(SubmissionQueue queue, int value) {
    boolean valid;
    synchronized (queue.completions) {
      ShadowDoorbell shadow = queue.shadow;
      valid = queue.deleted || (shadow != null && shadow.isUsed()) || queue.setTail(value);
      if (valid) {
        process(queue);
      }
    }
    if (!valid) {
      reportDoorbell(AsynchronousEvent.ERROR_INVALID_DOORBELL_VALUE);
    }
  }

  private void ringCompletion(CompletionQueue queue, int value) {
    boolean valid;
    synchronized (queue) {
      ShadowDoorbell shadow = queue.shadow;
      valid = queue.deleted || (shadow != null && shadow.isUsed()) || queue.setHead(value);
      if (valid && !queue.deleted) {
        if (shadow != null) {
          follow(queue, shadow);
        }
        makeRoom(queue);
      }
    }
    if (!valid) {
      reportDoorbell(AsynchronousEvent.ERROR_INVALID_DOORBELL_VALUE);
    }
  }

  /** The host has taken completions, or may have. */
  private void makeRoom(CompletionQueue queue) {
    if (queue.interrupts && queue.isEmpty()) {
      interrupts.emptied(queue);
    }
    if (!queue.postBacklog()) {
      fail();
    }
    for (SubmissionQueue submissions : queue.submissionQueues) {
      process(submissions);
    }
    if (queue.id == 0) {
      reportEvents();
    }
    announce(queue);
  }

  /** Takes commands from a queue for as long as there are any, and room for their completions. */
  private void process(SubmissionQueue queue) {
    takeCommands(queue);
    if (queue.shadow != null) {
      follow(queue, queue.shadow);
    }
    announce(queue.completions);
  }

  /**
   * Takes commands until the host is sure to ring for the next. That ends: in each round commands
   * are taken, and it takes a ring of the completion queue to make room for more.
   */
  private void follow(SubmissionQueue queue, ShadowDoorbell shadow) {
    while (queue.isEmpty() && !queue.deleted && !Csts.cfs(csts.get())) {
      boolean armed = shadow.arm(queue.head);
      int tail = shadow.value(queue.head);
      if (!armed || !queue.setTail(tail)) {
        fail(); // unlike of a register, nobody but the host can have written that
      } else if (queue.isEmpty()) {
        return;
      }
      takeCommands(queue);
    }
  }

  /** Takes over what the host has consumed, until it is sure to ring when it goes on. */
  private void follow(CompletionQueue queue, ShadowDoorbell shadow) {
    int known;
    do {
      known = queue.head;
      boolean armed = shadow.arm(known);
      if (!armed || !queue.setHead(shadow.value(known))) {
        fail();
      }
    } while (queue.head != known);
  }

  private void takeCommands(SubmissionQueue queue) {
    while (!queue.deleted && queue.isReady() && !Csts.cfs(csts.get())) {
      if (!queue.fetch()) {
        fail();
        break;
      }
      Command command = queue.command;
      long key = Fault.command(queue.id, command.opcode()) | (queue.id == 0 ? Fault.ADMIN : 0);
      Effect effect = context.faultOf(key);
      if (effect != null) {
        goWrong(effect, queue, command);
      } else if (queue.id == 0 || latency.isZero()) {
        execute(queue, command, 0);
      } else {
        hold(queue, command, latency);
      }
    }
  }

  private void goWrong(Effect effect, SubmissionQueue queue, Command command) {
    switch (effect) {
      case Effect.Lose _ -> {}
      case Effect.Delay(Duration by) -> hold(queue, command, by);
      case Effect.Repeat(int times) -> {
        command.repeats = times;
        execute(queue, command, 0);
      }
      case Effect.Flip(long bits) -> execute(queue, command, bits);
      case Effect.Fail _ -> fail();
      default -> execute(queue, command, 0);
    }
  }

  private void hold(SubmissionQueue queue, Command command, Duration time) {
    Command held = command.copy();
    queue.outstanding.add(held);
    held.end = agenda.add(time, () -> finish(queue, held));
  }

  private void finish(SubmissionQueue queue, Command command) {
    if (queue.id == 0) {
      synchronized (this) {
        finishHeld(queue, command);
      }
    } else {
      finishHeld(queue, command);
    }
  }

  private void finishHeld(SubmissionQueue queue, Command command) {
    synchronized (queue.completions) {
      if (!queue.deleted && queue.outstanding.remove(command)) {
        execute(queue, command, 0);
        process(queue);
      }
    }
  }

  /**
   * @param flipped bits of the completion that are the wrong way round
   */
  private void execute(SubmissionQueue queue, Command command, long flipped) {
    if (queue.id != 0) {
      complete(queue, command, io.execute(queue, command, pageSize), flipped);
      return;
    }
    int status = admin.execute(queue, command);
    if (status != DEFERRED) {
      complete(queue, command, status, flipped);
    }
    reportEvents();
  }

  private void complete(SubmissionQueue queue, Command command, int status, long flipped) {
    boolean success = status == DataPointer.SUCCESS;
    if (!success) {
      errors.add(queue, command, status);
    }
    int shown = success ? status : status | NvmeStatus.MORE | NvmeStatus.DO_NOT_RETRY;
    for (int i = 0; i <= command.repeats; i++) {
      post(queue, command.id(), shown, success ? command.result : 0, flipped);
    }
  }

  private void post(SubmissionQueue queue, int commandId, int status, int result) {
    post(queue, commandId, status, result, 0);
  }

  private void post(SubmissionQueue queue, int commandId, int status, int result, long flipped) {
    if (!queue.completions.post(queue, commandId, status, result, flipped)) {
      fail();
    }
  }

  /** Interrupts the host once for all that was posted. */
  private void announce(CompletionQueue queue) {
    if (queue.unannounced && queue.interrupts) {
      queue.unannounced = false;
      interrupts.posted(queue);
    }
  }

  private synchronized void report(int event) {
    events.raise(event);
    CompletionQueue queue = completionQueues.get(0);
    if (queue != null) {
      synchronized (queue) {
        reportEvents();
        announce(queue);
      }
    }
  }

  /** With the monitors of controller and admin queue held. */
  private void reportEvents() {
    SubmissionQueue queue = submissionQueues.get(0);
    for (Events.Report report = events.next();
        report != null && queue != null;
        report = events.next()) {
      post(queue, report.commandId(), DataPointer.SUCCESS, report.event());
    }
  }

  private CompletionQueue completionQueueOrThrow(int id) {
    CompletionQueue queue = completionQueues.get(id);
    if (queue == null) {
      throw new IllegalStateException("no completion queue " + id);
    }
    return queue;
  }

  private static long pair(int low, int high) {
    return (low & 0xffff_ffffL) | (long) high << 32;
  }
}
