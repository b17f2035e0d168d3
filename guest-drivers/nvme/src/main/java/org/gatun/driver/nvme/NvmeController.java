package org.gatun.driver.nvme;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.IntPredicate;
import java.util.function.Supplier;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DeviceTimeoutException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.Cns;
import org.gatun.specs.nvme.Csts;
import org.gatun.specs.nvme.Features;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.IdentifyNamespace;
import org.gatun.specs.nvme.NamespaceList;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SubmissionEntry;
import org.jspecify.annotations.Nullable;

/**
 * An NVM Express controller that was brought up: its identity, its namespaces, and the queue pairs
 * through which they are read and written.
 *
 * <p>Any thread; a queue pair belongs to one. The controller does not own its device: whoever
 * opened that closes it, after this.
 */
public final class NvmeController implements AutoCloseable {
  private static final System.Logger LOGGER = System.getLogger("org.gatun.driver.nvme");

  /** What Linux gives a controller that does not say how long its shutdown takes. */
  private static final Duration LEAST_SHUTDOWN = Duration.ofSeconds(5);

  private static final Duration MOST_SHUTDOWN = Duration.ofSeconds(60);

  private final PciDevice device;
  private final NvmeOptions options;
  private final Registers registers;
  private final Doorbells doorbells;
  private final AdminQueue admin;
  private final Resources resources;
  private final int maxQueues;
  private final int maxTransferBytes;
  private final IdentifyController identity;
  private final int oncs;
  private final boolean hasDoorbellBuffer;

  /** The open queue pairs, by id. Guarded by this, as are the admin queue and what follows. */
  private final Map<Integer, NvmeQueuePair> queues = new TreeMap<>();

  private List<InterruptLine> lines = List.of();
  private boolean closed;

  /**
   * Counts the times that the controller was stopped, by a reset, a failure or close. A queue pair
   * that has another number has lost its queues; it does not touch the device before it has looked.
   */
  private volatile int epoch;

  private final EventWatch events;
  private final KeepAlive keepAlive;
  private volatile Namespaces namespaces;
  private volatile int resets;
  private volatile int queueResets;
  private volatile @Nullable String lastReset;
  private volatile @Nullable PciException failure;

  /** Takes over what {@link #open} has brought up, and looks at what is there. */
  private NvmeController(
      PciDevice device,
      NvmeOptions options,
      Registers registers,
      Doorbells doorbells,
      AdminQueue admin,
      int queuesWithDoorbells,
      Resources resources) {
    this.device = device;
    this.options = options;
    this.registers = registers;
    this.doorbells = doorbells;
    this.admin = admin;
    this.resources = resources;
    this.identity = new IdentifyController(admin.identify(Cns.CONTROLLER, 0));
    this.oncs = identity.oncs();
    checkIdentity();
    this.maxTransferBytes =
        (int)
            Math.min(options.maxTransferBytes(), identity.maxTransferSize(registers.minPageSize()));
    this.hasDoorbellBuffer = configureDoorbellBuffer();
    this.namespaces = Namespaces.identify(name(), admin, registers, identity, maxTransferBytes);
    this.maxQueues = admin.setNumberOfQueues(queuesWithDoorbells);
    this.events = new EventWatch(this, admin);
    this.keepAlive = KeepAlive.of(admin, identity, options.time().nanoTime());
  }

  /**
   * Brings a controller up: disables it, enables it with an admin queue, identifies it and its
   * namespaces (Base 3.5.1).
   *
   * @throws DeviceProtocolException if the device is no NVMe controller, answers all ones, or
   *     breaks the protocol
   * @throws DeviceTimeoutException if it does not become ready in the time that it asks for itself
   * @throws NvmeFatalStatusException if it reports a fatal error
   * @throws PciException if it is of a kind that this driver can't drive
   */
  public static NvmeController open(PciDevice device, NvmeOptions options) {
    Resources resources = new Resources();
    try {
      Registers registers = Registers.map(device, options.time());
      resources.add(registers::close);
      int queues = registers.queuesWithDoorbells(options.maxQueues());
      Doorbells doorbells = registers.mapDoorbells(queues);
      resources.add(doorbells::close);
      registers.disable();
      AdminQueue admin = new AdminQueue(device.name(), device.dma(), registers, doorbells, options);
      resources.add(admin::close);
      device.busMaster(true);
      resources.add(() -> device.busMaster(false));
      resources.add(registers::disable);
      admin.enable();
      return new NvmeController(device, options, registers, doorbells, admin, queues, resources);
    } catch (RuntimeException e) {
      try {
        resources.close();
      } catch (RuntimeException suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
  }

  /** The name of the device. */
  public DeviceName name() {
    return device.name();
  }

  /** What the controller says of itself. */
  public IdentifyController identity() {
    return identity;
  }

  /**
   * The active namespaces that can be used, by ascending id, as they were when the driver looked
   * last: when the controller was opened, after a command that may have changed them, and after the
   * controller told that they changed ({@link #pollEvents}). Those with metadata or protection
   * information, of another command set (zoned ones are), or with blocks that are no power of two
   * from 512 or longer than a transfer, are left out, and logged.
   */
  public List<NvmeNamespace> namespaces() {
    return namespaces.usable();
  }

  /**
   * A namespace.
   *
   * @throws IllegalArgumentException if it is not active; the message says which are
   * @throws PciException if it is active, but this driver can't use it
   */
  public NvmeNamespace namespace(int id) {
    return namespaces.get(id);
  }

  /** The longest transfer of one command in bytes: MDTS, or the limit of the options. */
  public int maxTransferBytes() {
    return maxTransferBytes;
  }

  /** How many queue pairs there can be at a time: what the controller allowed, or the options. */
  public int maxQueuePairs() {
    return maxQueues;
  }

  /** How many commands can be in flight on a queue pair, by CAP.MQES. */
  public int maxQueueDepth() {
    // One entry of a ring stays empty, to tell full from empty (Base 3.3.1.1).
    return Math.min(registers.maxQueueEntries() - 1, SubmissionEntry.MAX_COMMAND_ID);
  }

  /**
   * How often the controller was reset, because a command was not completed in time or because it
   * reported a fatal error.
   */
  public int resets() {
    return resets;
  }

  /**
   * How often the queues of a queue pair were deleted and created anew, because a command was not
   * completed even though it was aborted.
   */
  public int queueResets() {
    return queueResets;
  }

  /** Why the controller was reset the last time, for people; empty if it never was. */
  public Optional<String> lastReset() {
    return Optional.ofNullable(lastReset);
  }

  /**
   * Prepares a buffer for transfers of more than two pages: it costs 8 bytes of DMA memory for each
   * page.
   */
  public PreparedBuffer prepare(DmaBuffer buffer) {
    return new PreparedBuffer(device.dma(), buffer);
  }

  /** Creates a queue pair for the calling thread, with the depth and completion of the options. */
  public NvmeQueuePair createQueuePair() {
    return createQueuePair(options.queueDepth());
  }

  /** Creates a queue pair for the calling thread, with the completion of the options. */
  public NvmeQueuePair createQueuePair(int depth) {
    return createQueuePair(depth, options.completion());
  }

  /**
   * Creates a queue pair for the calling thread.
   *
   * @param depth how many commands can be in flight, from 1; cut down to {@link #maxQueueDepth}
   * @throws PciException if all queue pairs are in use
   */
  public synchronized NvmeQueuePair createQueuePair(int depth, Completion completion) {
    if (depth < 1) {
      throw new IllegalArgumentException("the queue depth is at least 1, not " + depth);
    }
    checkUsable("creating a queue pair");
    int id = 1;
    while (queues.containsKey(id)) {
      id++;
    }
    if (id > maxQueues) {
      throw new PciException(
          name(),
          "all %d queue pairs are in use".formatted(maxQueues),
          "close one, or allow for more in the options if the controller has them",
          null);
    }
    InterruptLine line = completion == Completion.POLL ? null : lineForQueue(id);
    NvmeQueuePair pair =
        new NvmeQueuePair(
            this, id, Math.min(depth, maxQueueDepth()), completion, line, options, device.dma());
    try {
      pair.start();
    } catch (RuntimeException e) {
      pair.free();
      throw e;
    }
    queues.put(id, pair);
    if (line != null) {
      line.addUser();
    }
    return pair;
  }

  /**
   * Opens a namespace to be read and written by the calling thread, on a queue pair of its own.
   *
   * @throws IllegalArgumentException as {@link #namespace}
   * @throws PciException as {@link #namespace} and {@link #createQueuePair(int, Completion)}
   */
  public NvmeDisk openDisk(int namespaceId) {
    NvmeNamespace namespace = namespace(namespaceId);
    return new NvmeDisk(this, namespace, createQueuePair(), device.dma());
  }

  /** Its log pages: health, errors, and so on. */
  public NvmeLogs logs() {
    return new NvmeLogs(this);
  }

  /** Its features, and power states. */
  public NvmeFeatures features() {
    return new NvmeFeatures(this);
  }

  /**
   * Hands on what the controller has told unasked since the last time, oldest first. It is asked to
   * tell from the first call on, also after a reset. From then on who uses queue pairs looks too:
   * so {@link #namespaces} changes whether or not this is called again, and the newest 64 events
   * are kept for the next call.
   *
   * <p>Does not wait for events, but for whoever executes an Admin command.
   *
   * @param listener gets each event, on this thread, without a lock. What it throws comes out of
   *     here; the events after that stay for the next call
   * @return how many there were
   * @throws PciException if the controller is gone, has failed, or does not answer
   */
  public int pollEvents(Consumer<? super NvmeEvent> listener) {
    int count;
    synchronized (this) {
      checkUsable("polling for events");
      long now = options.time().nanoTime();
      keepAlive(now);
      events.look(now);
      count = events.size();
    }
    int done = 0;
    while (done < count) {
      NvmeEvent event;
      synchronized (this) {
        event = events.poll();
      }
      if (event == null) {
        break;
      }
      done++;
      listener.accept(event);
    }
    return done;
  }

  /**
   * Executes an Admin command of any kind, and waits for it; others wait meanwhile. After one that
   * may change namespaces (Format NVM, Namespace Management and so on, and any vendor specific
   * command) the driver looks at them again: {@link #namespaces} tells what is there then.
   *
   * <p>Some commands are refused, because the driver depends on what they would change: those that
   * create and delete queues, Abort, Asynchronous Event Request, Doorbell Buffer Config, Keep
   * Alive, and Set Features of {@link Features#NUMBER_OF_QUEUES}, {@link
   * Features#ASYNCHRONOUS_EVENT_CONFIGURATION}, {@link Features#KEEP_ALIVE_TIMER} and {@link
   * Features#HOST_MEMORY_BUFFER}.
   *
   * @return what the controller answered, be it an error
   * @throws IllegalArgumentException if there are more data than {@link #maxTransferBytes}
   * @throws PciException if the command is refused; the message says why. Nothing was sent
   * @throws DeviceTimeoutException if it is not completed in time: the controller was reset
   * @throws NvmeFatalStatusException if the controller reports a fatal error: likewise
   * @throws DeviceProtocolException if the controller breaks the protocol: it has failed
   */
  public synchronized NvmeResult execute(NvmeCommand command) {
    String operation = AdminOpcode.name(command.opcode());
    checkUsable(operation);
    OwnCommands.refusal(command)
        .ifPresent(
            reason -> {
              throw new PciException(name(), operation + " is refused", reason, null);
            });
    checkLength(command);
    NvmeResult result =
        command.dataLength() <= PrpLists.PAGE_SIZE
            ? answer(() -> admin.exchange(command))
            : CommandData.exchange(
                device.dma(),
                command,
                (prp1, prp2) -> answer(() -> admin.send(command, prp1, prp2)));
    if (mayChangeNamespaces(command)) {
      lookAtNamespaces(id -> isOf(command, id));
    }
    return result;
  }

  /** As {@link #execute}, of a command that must succeed. */
  NvmeResult require(NvmeCommand command) {
    NvmeResult result = execute(command);
    if (!result.isSuccess()) {
      throw NvmeStatusException.ofAdmin(
          name(), command.opcode(), result.status(), command.namespaceId());
    }
    return result;
  }

  /**
   * Opens a namespace to be read and written by the calling thread, by futures, on a queue pair of
   * its own: see {@link #openDisk}.
   */
  public NvmeAsyncDisk openAsyncDisk(int namespaceId) {
    NvmeNamespace namespace = namespace(namespaceId);
    return new NvmeAsyncDisk(this, namespace, createQueuePair());
  }

  /**
   * Shuts the controller down: deletes its queues, notifies it of a normal shutdown, so that it
   * writes its cache, and gives all buffers, mappings and vectors back. Bus master is off then.
   * Idempotent, from any thread. What is in flight on a queue pair is completed when its owner
   * polls next.
   *
   * @throws DeviceTimeoutException if the shutdown is not complete in time; all is given back even
   *     so
   * @throws NvmeFatalStatusException if the controller reports a fatal error meanwhile; likewise
   */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    boolean failed = failure != null;
    failure = new DeviceGoneException(name(), "NVMe controller", null);
    if (!failed) {
      resources.add(() -> registers.shutDown(shutdownTimeout()));
      resources.add(this::deleteQueues);
    }
    try {
      resources.close();
    } catch (PciException e) {
      // A device that is gone, or has failed, can't be shut down, and its owner knows already.
      if (!failed && !(e instanceof DeviceGoneException)) {
        throw e;
      }
      LOGGER.log(Level.DEBUG, "closing", e);
    } finally {
      // Only now, when the controller does no DMA any more; and before the memory goes, so that
      // an owner who finds it gone finds the new epoch too.
      epoch++;
      queues.values().forEach(NvmeQueuePair::free);
      queues.clear();
    }
  }

  // For erasing. Each is a command, so that who waits for an erase holds up nobody between them.

  /** What a namespace says of itself now; all zeros if it is not active (Base 5.17.2.1). */
  synchronized IdentifyNamespace identifyNamespace(int id) {
    checkUsable("identifying a namespace");
    return new IdentifyNamespace(answer(() -> admin.identify(Cns.NAMESPACE, id)));
  }

  /**
   * The namespaces of a list, up to a bound; unsigned, ascending.
   *
   * @param cns which list
   * @throws DeviceProtocolException if it does not ascend
   * @throws PciException if there are more
   */
  synchronized List<Integer> namespaceIds(int cns) {
    checkUsable("listing namespaces");
    List<Integer> ids = new ArrayList<>();
    NamespaceList list;
    do {
      int last = ids.isEmpty() ? 0 : ids.getLast();
      list = new NamespaceList(answer(() -> admin.identify(cns, last)));
      for (int i = 0; i < list.count(); i++) {
        ids.add(
            Namespaces.checkAscent(name(), ids.isEmpty() ? 0 : ids.getLast(), list.namespaceId(i)));
      }
      if (ids.size() > Namespaces.MAX) {
        throw new PciException(
            name(), "the controller has more than " + Namespaces.MAX + " namespaces", null, null);
      }
    } while (list.count() == NamespaceList.MAX_ENTRIES);
    return ids;
  }

  void format(int namespaceId, int dword10, Duration limit) {
    require(NvmeCommand.of(AdminOpcode.FORMAT_NVM, namespaceId, dword10).within(limit));
  }

  void sanitize(int dword10) {
    require(NvmeCommand.of(AdminOpcode.SANITIZE, 0, dword10));
  }

  // For queue pairs.

  /**
   * Attends to events, and tells the controller that somebody is here, if either is due; but leaves
   * it to whoever has the admin queue already. A controller that fails here is noticed by the next
   * poll.
   */
  void attend(long now) {
    try {
      if (isAttentionDue(now)) {
        attendNow(now);
      }
    } catch (PciException e) {
      LOGGER.log(Level.WARNING, e.getMessage());
    }
  }

  private boolean isAttentionDue(long now) {
    return failure == null && !admin.isBusy() && (keepAlive.isDue(now) || events.isDue(now));
  }

  private synchronized void attendNow(long now) {
    if (failure == null) {
      keepAlive(now);
    }
    if (failure == null && events.isDue(now)) {
      events.attend(now);
    }
  }

  private void keepAlive(long now) {
    if (keepAlive.isDue(now)) {
      runAdmin(() -> keepAlive.attend(now));
    }
  }

  /** The namespaces as they are known now. */
  Namespaces current() {
    return namespaces;
  }

  int epoch() {
    return epoch;
  }

  /** Whether the epoch has changed. Waits for a close that is under way. */
  synchronized boolean isStoppedSince(int pairEpoch) {
    return epoch != pairEpoch;
  }

  Registers registers() {
    return registers;
  }

  Doorbells doorbells() {
    return doorbells;
  }

  /** Whether commands may have SGLs, of addresses and lengths that are multiples of 4 at least. */
  boolean hasSgls() {
    int support = identity.sgls() & 3;
    return support == IdentifyController.SGLS_UNALIGNED
        || support == IdentifyController.SGLS_DWORD_ALIGNED;
  }

  boolean supports(int command) {
    return (oncs & command) != 0;
  }

  /**
   * Why an I/O command failed: what the driver does completes commands with statuses of its own.
   */
  NvmeStatusException failed(int opcode, int status, int namespaceId, long lba) {
    Optional<String> ended =
        NvmeStatus.of(status)
            .flatMap(
                known ->
                    switch (known) {
                      case COMMAND_ABORTED_BY_HOST ->
                          lastReset().map(why -> "the controller was reset: " + why);
                      case COMMAND_ABORTED_DUE_TO_SQ_DELETION ->
                          Optional.of("it was not completed in time, and the queue was deleted");
                      default -> Optional.empty();
                    });
    return NvmeStatusException.ofIo(name(), opcode, status, namespaceId, lba, ended);
  }

  /**
   * Whether the controller has failed, or is closed.
   *
   * @return null if it works
   */
  @Nullable PciException failure(String operation) {
    PciException cause = failure;
    return switch (cause) {
      case null -> null;
      case DeviceGoneException _ -> new DeviceGoneException(name(), operation, cause);
      default ->
          new PciException(
              name(),
              operation + ": the controller has failed before (" + cause.getMessage() + ")",
              "close it and open it again",
              cause);
    };
  }

  /**
   * Tells the controller of a queue pair's queues, again after a reset.
   *
   * @return the epoch that they live in
   */
  synchronized int createQueues(NvmeQueuePair pair) {
    checkUsable("creating queues");
    doorbells.clear(pair.id());
    runAdmin(
        () ->
            admin.createCompletionQueue(
                pair.id(), pair.completionEntries(), pair.completionAddress(), pair.vector()));
    try {
      runAdmin(
          () -> admin.createSubmissionQueue(pair.id(), pair.entries(), pair.submissionAddress()));
    } catch (NvmeStatusException e) {
      runDeletion(() -> admin.deleteCompletionQueue(pair.id()));
      throw e;
    }
    return epoch;
  }

  /**
   * Deletes a submission queue, unless the controller has forgotten it already. If this throws,
   * then the controller was reset or has failed, and uses the queue no more either.
   */
  synchronized void deleteSubmissionQueue(NvmeQueuePair pair, int pairEpoch) {
    if (epoch == pairEpoch && failure == null) {
      runDeletion(() -> admin.deleteSubmissionQueue(pair.id()));
    }
  }

  /**
   * Deletes a completion queue, unless the controller has forgotten it already. If this throws,
   * then the controller was reset or has failed, and uses the queue no more either.
   */
  synchronized void deleteCompletionQueue(NvmeQueuePair pair, int pairEpoch) {
    if (epoch == pairEpoch && failure == null) {
      runDeletion(() -> admin.deleteCompletionQueue(pair.id()));
    }
  }

  /** Frees a queue pair, whose id is free again. */
  synchronized void forget(NvmeQueuePair pair, @Nullable InterruptLine line) {
    if (queues.remove(pair.id(), pair)) {
      if (line != null) {
        line.removeUser();
      }
      pair.free();
    }
  }

  /**
   * Looks whether the controller is still at work, for a queue pair that has waited a while: one
   * that has given up (CSTS.CFS) or is gone never completes a command. Takes no lock if it is.
   */
  void checkAtWork(int pairEpoch) {
    int csts;
    try {
      csts = registers.status();
    } catch (DeviceGoneException e) {
      lost(pairEpoch, e);
      return;
    }
    if (isAtWork(csts)) {
      return;
    }
    synchronized (this) {
      // Not if somebody was resetting or closing it just then.
      if (epoch == pairEpoch && failure == null) {
        reset(whyNotAtWork(csts));
      }
    }
  }

  /** A register could not be accessed: unless that is because of a close or a reset, it is gone. */
  synchronized void lost(int pairEpoch, DeviceGoneException cause) {
    if (epoch == pairEpoch && failure == null) {
      fail(cause);
    }
  }

  /** Asks for a command to be aborted, which was not completed in time. */
  synchronized void abort(NvmeQueuePair pair, int pairEpoch, int commandId) {
    if (epoch != pairEpoch || failure != null) {
      return;
    }
    String command = "command %d of queue %d".formatted(commandId, pair.id());
    int csts;
    try {
      csts = registers.status();
    } catch (DeviceGoneException e) {
      fail(e);
      return;
    }
    if (!isAtWork(csts)) {
      reset(whyNotAtWork(csts));
      return;
    }
    LOGGER.log(Level.WARNING, "{0}: {1} was not completed in time: aborting it", name(), command);
    try {
      admin.abort(pair.id(), commandId);
    } catch (NvmeStatusException e) {
      // It may be complete by now; if it is not, the next time-out deletes the queue.
      LOGGER.log(Level.WARNING, e.getMessage());
    } catch (DeviceTimeoutException | NvmeFatalStatusException e) {
      reset(command + " was not completed in time, nor was Abort");
    } catch (PciException e) {
      fail(e);
    }
  }

  /**
   * Deletes a submission queue, because a command was not completed even though it was aborted. If
   * that does not work either, then the controller is reset.
   *
   * @return whether the queue is deleted
   */
  synchronized boolean deleteAfterAbort(NvmeQueuePair pair, int pairEpoch, int commandId) {
    if (epoch != pairEpoch || failure != null) {
      return false;
    }
    LOGGER.log(
        Level.WARNING,
        "{0}: command {1} of queue {2} was aborted, and not completed: deleting the queue",
        name(),
        commandId,
        pair.id());
    try {
      deleteSubmissionQueue(pair, pairEpoch);
      queueResets++;
      return true;
    } catch (PciException e) {
      // The controller was reset then, or has failed: its owner is told when it polls next.
      LOGGER.log(Level.WARNING, e.getMessage());
      return false;
    }
  }

  /**
   * Gives the controller up: it does no DMA any more. Its first failure counts.
   *
   * @return what was given
   */
  synchronized <E extends PciException> E fail(E cause) {
    if (failure == null) {
      LOGGER.log(Level.ERROR, "{0}: the controller has failed", name(), cause);
      failure = cause;
      try {
        device.busMaster(false);
      } catch (PciException e) {
        // Gone: nothing to stop.
        cause.addSuppressed(e);
      }
      epoch++;
    }
    return cause;
  }

  /** Controller Reset (Base 3.7.2). Owners find their queues gone when they poll next. */
  private synchronized void reset(String why) {
    LOGGER.log(Level.WARNING, "{0}: resetting the controller: {1}", name(), why);
    lastReset = why;
    try {
      registers.disable();
      // From here on the controller uses no memory: commands in flight may be completed as aborted.
      epoch++;
      resets++;
      admin.enable();
      if (hasDoorbellBuffer) {
        doorbells.configureBuffer(device.dma(), admin);
      }
      admin.setNumberOfQueues(maxQueues);
      events.renew();
    } catch (PciException e) {
      fail(e);
    }
  }

  /** Runs admin commands; without an answer, or with a wrong one, the controller is of no use. */
  void runAdmin(Runnable commands) {
    answer(
        () -> {
          commands.run();
          return true;
        });
  }

  /** As {@link #runAdmin}, of what has an answer. */
  <T> T answer(Supplier<T> commands) {
    try {
      return commands.get();
    } catch (DeviceTimeoutException | NvmeFatalStatusException e) {
      reset(String.valueOf(e.getMessage()));
      throw e;
    } catch (DeviceProtocolException | DeviceGoneException e) {
      throw fail(e);
    }
  }

  /** Looks again which namespaces are active, and at those that may have changed. */
  Namespaces lookAtNamespaces(IntPredicate changed) {
    Namespaces now = answer(() -> namespaces.again(changed));
    namespaces = now;
    return now;
  }

  private static boolean mayChangeNamespaces(NvmeCommand command) {
    return switch (command.opcode()) {
      case AdminOpcode.FORMAT_NVM,
          AdminOpcode.NAMESPACE_MANAGEMENT,
          AdminOpcode.NAMESPACE_ATTACHMENT,
          AdminOpcode.CAPACITY_MANAGEMENT ->
          true;
      default -> command.opcode() >= AdminOpcode.FIRST_VENDOR_SPECIFIC;
    };
  }

  /** Whether a command may change that namespace; a format of one can be one of all (FNA). */
  private boolean isOf(NvmeCommand command, int namespaceId) {
    return command.namespaceId() == namespaceId
        || command.namespaceId() == SubmissionEntry.NSID_ALL
        || command.opcode() >= AdminOpcode.FIRST_VENDOR_SPECIFIC
        || (identity.fna() & IdentifyController.FNA_FORMAT_ALL) != 0;
  }

  void checkLength(NvmeCommand command) {
    if (command.dataLength() > maxTransferBytes) {
      throw new IllegalArgumentException(
          "%s: a command has at most %d bytes of data, not %d"
              .formatted(name(), maxTransferBytes, command.dataLength()));
    }
  }

  /**
   * Runs the deletion of a queue. Refused, it leaves a queue that the controller may go on using;
   * only a reset makes sure that its memory, and the buffers of its commands, can be given back.
   */
  private void runDeletion(Runnable command) {
    try {
      runAdmin(command);
    } catch (NvmeStatusException e) {
      reset(String.valueOf(e.getMessage()));
      throw e;
    }
  }

  private static boolean isAtWork(int csts) {
    return Csts.rdy(csts) && !Csts.cfs(csts);
  }

  private static String whyNotAtWork(int csts) {
    return "it %s (CSTS %#x)"
        .formatted(Csts.cfs(csts) ? "reported a fatal error" : "was no longer ready", csts);
  }

  private void checkUsable(String operation) {
    PciException problem = failure(operation);
    if (problem != null) {
      throw problem;
    }
  }

  private InterruptLine lineForQueue(int id) {
    if (lines.isEmpty()) {
      lines = InterruptLine.enable(name(), device.interrupts(), 1 + maxQueues, registers);
      resources.add(() -> device.interrupts().disable());
    }
    return InterruptLine.forQueue(lines, id);
  }

  private void deleteQueues() {
    try {
      for (NvmeQueuePair pair : queues.values()) {
        admin.deleteSubmissionQueue(pair.id());
        admin.deleteCompletionQueue(pair.id());
      }
    } catch (PciException e) {
      // Shutting down and disabling the controller come next, and end them all.
      LOGGER.log(Level.WARNING, e.getMessage());
    }
  }

  /** RTD3E, in microseconds, within reason. */
  private Duration shutdownTimeout() {
    Duration asked = Duration.ofNanos(identity.rtd3EntryLatency() * 1000);
    if (asked.compareTo(LEAST_SHUTDOWN) < 0) {
      return LEAST_SHUTDOWN;
    }
    return asked.compareTo(MOST_SHUTDOWN) > 0 ? MOST_SHUTDOWN : asked;
  }

  /** Uses a doorbell buffer if the controller takes one: it works without, too. */
  private boolean configureDoorbellBuffer() {
    if ((identity.oacs() & IdentifyController.OACS_DOORBELL_BUFFER_CONFIG) == 0
        || !doorbells.fitBuffer()) {
      return false;
    }
    try {
      doorbells.configureBuffer(device.dma(), admin);
      return true;
    } catch (NvmeStatusException e) {
      LOGGER.log(Level.WARNING, "{0}: goes without a doorbell buffer: {1}", name(), e.getMessage());
      return false;
    }
  }

  private void checkIdentity() {
    int type = identity.controllerType();
    if (type == IdentifyController.CNTRLTYPE_DISCOVERY
        || type == IdentifyController.CNTRLTYPE_ADMINISTRATIVE) {
      throw new PciException(
          name(), "the controller does no I/O (CNTRLTYPE " + type + ")", "name another", null);
    }
    if (identity.requiredSqes() > SubmissionEntry.SIZE_LOG2
        || identity.maxSqes() < SubmissionEntry.SIZE_LOG2) {
      throw new DeviceProtocolException(
          name(),
          "the controller has no submission queue entries of 64 bytes (SQES %#x)"
              .formatted(identity.sqes()),
          null,
          null);
    }
  }
}
