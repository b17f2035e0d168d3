package org.gatun.driver.nvme;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.DmaPort;
import org.gatun.simulated.FunctionDescription;
import org.gatun.simulated.ModelContext;
import org.gatun.simulated.RunningModel;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.Aqa;
import org.gatun.specs.nvme.AsynchronousEvent;
import org.gatun.specs.nvme.Cap;
import org.gatun.specs.nvme.Cc;
import org.gatun.specs.nvme.Cns;
import org.gatun.specs.nvme.CompletionEntry;
import org.gatun.specs.nvme.Csts;
import org.gatun.specs.nvme.Features;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.IdentifyNamespace;
import org.gatun.specs.nvme.LbaFormat;
import org.gatun.specs.nvme.NamespaceDescriptor;
import org.gatun.specs.nvme.NamespaceList;
import org.gatun.specs.nvme.NvmCommand;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeRegisters;
import org.gatun.specs.nvme.NvmeStatus;
import org.gatun.specs.nvme.SubmissionEntry;
import org.gatun.specs.nvme.Version;
import org.jspecify.annotations.Nullable;

/**
 * A controller that does what a test tells it, right or wrong: each command goes to a script, which
 * completes it, leaves it, or answers nonsense. It acts inside of the register write that rings a
 * doorbell, and holds nothing but what the tests need.
 */
final class ScriptedNvme implements DeviceModel, RunningModel {
  /** What becomes of a command. */
  interface Script {
    void on(Command command);
  }

  /** Does what a sound controller does. */
  static final Script SOUND = Command::execute;

  private static final int PAGE = 4096;
  private static final long BAR_SIZE = 0x4000;
  private static final long MSIX_TABLE = 0x2000;
  private static final long MSIX_PENDING = 0x3000;

  // What the test sets before the device is opened, or while the driver is at rest.
  long cap =
      Cap.withMpsmax(
          Cap.withCss(Cap.withTo(Cap.withCqr(Cap.withMqes(0, 1023), true), 2), Cap.CSS_NVM), 0);
  int crto;
  final IdentifyController identity = IdentifyController.create();
  final Map<Integer, IdentifyNamespace> namespaces = new TreeMap<>();

  /** Of namespaces that are not of the NVM Command Set, by id. */
  final Map<Integer, Integer> commandSets = new HashMap<>();

  /** Of all namespaces. */
  final byte[] uuid = new byte[16];

  PciClass pciClass = new PciClass(NvmeRegisters.CLASS_CODE);
  int msixVectors;
  int msiVectors;
  int pin = 1;
  int queues = 64;
  int version = Version.V1_4;
  boolean lacksNamespaceList;
  Script script = SOUND;
  boolean neverReady;
  boolean fatalWhenEnabled;
  boolean neverDisabled;
  boolean neverShutDown;
  boolean allOnes;
  boolean repeatFirstNamespaces;
  int statusReads;
  int ioDoorbellWrites;
  final Map<Integer, MemorySegment> logPages = new HashMap<>();

  /** Requests for events that the host has made, and that nothing has come of yet. */
  final Deque<Command> eventRequests = new ArrayDeque<>();

  /** What happened, in order: opcodes by name, register writes that matter. */
  final List<String> log = new ArrayList<>();

  private final Arena arena = Arena.ofShared();
  private final Map<Integer, MemorySegment> media = new HashMap<>();
  private final Map<Integer, Queue> submissionQueues = new HashMap<>();
  private final Map<Integer, Queue> completionQueues = new HashMap<>();
  private final MemorySegment entry = arena.allocate(SubmissionEntry.SIZE, 8);
  private final MemorySegment page = arena.allocate(PAGE, 8);
  private @Nullable ModelContext plugged;
  private @Nullable DmaPort port;
  private int cc;
  private int csts;
  private int aqa;
  private int interruptMask;

  /** Of its two pages; 0 without. */
  private long doorbellBuffer;

  private long eventIndexes;
  private final MemorySegment queueAddresses = arena.allocate(16, 8);

  /** Either kind of queue. */
  private static final class Queue {
    final int id;
    final long address;
    final int entries;
    final int completionQueue;
    final int vector;
    int head;
    int tail;
    boolean phase = true;

    Queue(int id, long address, int entries, int completionQueue, int vector) {
      this.id = id;
      this.address = address;
      this.entries = entries;
      this.completionQueue = completionQueue;
      this.vector = vector;
    }
  }

  ScriptedNvme() {
    identity.setModelNumber("Scripted");
    identity.setSerialNumber("1");
    identity.setSqes(0x66);
    identity.setCqes(0x44);
    identity.setMdts(5);
    identity.setOncs(
        IdentifyController.ONCS_DATASET_MANAGEMENT | IdentifyController.ONCS_WRITE_ZEROES);
  }

  /** Adds a namespace; returns its content. */
  MemorySegment addNamespace(int id, long blocks, int blockShift, int metadata) {
    IdentifyNamespace namespace = IdentifyNamespace.create();
    namespace.setSize(blocks);
    namespace.setCapacity(blocks);
    namespace.setUtilization(blocks);
    namespace.setLbaFormat(0, new LbaFormat(metadata, blockShift, 0));
    namespaces.put(id, namespace);
    MemorySegment content = arena.allocate(blocks << blockShift, 8);
    media.put(id, content);
    return content;
  }

  @Override
  public FunctionDescription description() {
    return new FunctionDescription(
        new PciId(0x1b36, 0x10, 0, 0),
        pciClass,
        0,
        true,
        List.of(FunctionDescription.BarDescription.trapped(0, BAR_SIZE, true)),
        new FunctionDescription.InterruptDescription(
            pin,
            msiVectors,
            msixVectors == 0
                ? Optional.empty()
                : Optional.of(
                    new FunctionDescription.Msix(msixVectors, 0, MSIX_TABLE, MSIX_PENDING))));
  }

  @Override
  public RunningModel start(ModelContext modelContext) {
    plugged = modelContext;
    port = modelContext.newDmaPort();
    return this;
  }

  @Override
  public synchronized long read(int bar, long offset, int width) {
    if (allOnes) {
      return -1;
    }
    return switch ((int) offset) {
      case (int) NvmeRegisters.CAP -> cap;
      case (int) NvmeRegisters.CAP + 4 -> cap >>> 32;
      case (int) NvmeRegisters.VS -> version;
      case (int) NvmeRegisters.CC -> cc;
      case (int) NvmeRegisters.CRTO -> crto;
      case (int) NvmeRegisters.CSTS -> {
        statusReads++;
        yield csts;
      }
      default -> 0;
    };
  }

  @Override
  public synchronized void write(int bar, long offset, int width, long value) {
    if (allOnes) {
      return;
    }
    switch ((int) offset) {
      case (int) NvmeRegisters.CC -> configure((int) value);
      case (int) NvmeRegisters.AQA -> aqa = (int) value;
      case (int) NvmeRegisters.ASQ,
          (int) NvmeRegisters.ASQ + 4,
          (int) NvmeRegisters.ACQ,
          (int) NvmeRegisters.ACQ + 4 ->
          queueAddresses.set(ValueLayout.JAVA_INT, offset - NvmeRegisters.ASQ, (int) value);
      case (int) NvmeRegisters.INTMS -> {
        interruptMask |= (int) value;
        updateLine();
      }
      case (int) NvmeRegisters.INTMC -> {
        interruptMask &= (int) ~value;
        updateLine();
      }
      default -> {
        if (offset >= NvmeRegisters.DOORBELLS) {
          int index = (int) (offset - NvmeRegisters.DOORBELLS) >> (2 + Cap.dstrd(cap));
          ioDoorbellWrites += index < 2 ? 0 : 1;
          doorbell(index, (int) value);
        }
      }
    }
  }

  @Override
  public synchronized void reset() {
    disable();
    cc = 0;
    csts = 0;
  }

  @Override
  public synchronized void close() {
    arena.close();
  }

  /** Whether the host has memory of the controller's own queues mapped: nothing may be in use. */
  synchronized boolean isEnabled() {
    return Cc.en(cc);
  }

  /** From now on CSTS says that the controller can't go on. */
  synchronized void failFatally() {
    csts = Csts.withCfs(csts, true);
  }

  /** Tells of an event; the host has asked, or this fails. */
  synchronized void tell(int type, int information, int logPage) {
    eventRequests.remove().complete(AsynchronousEvent.dword0(type, information, logPage), 0);
  }

  /** Does something later, in the time of the bus. */
  void later(Duration delay, Runnable action) {
    context().schedule(delay.toNanos(), action);
  }

  /** Writes to the host's memory, inside of one page. */
  synchronized void write(long address, MemorySegment data) {
    MemorySegment.copy(data, 0, page, 0, data.byteSize());
    dma().write(address, page, 0, data.byteSize());
  }

  /** Looks into the doorbell buffer, as a controller does that is at work. */
  synchronized void lookAtDoorbellBuffer(int queue) {
    for (int index : new int[] {2 * queue, 2 * queue + 1}) {
      doorbell(index, bufferedDoorbell(index));
    }
  }

  /** What the host has written into the doorbell buffer. */
  synchronized int bufferedDoorbell(int index) {
    dma().read(doorbellBuffer + 4L * index, page, 0, Integer.BYTES);
    return page.get(ValueLayout.JAVA_INT, 0);
  }

  /** Asks for the register to be written when the doorbell goes on from there. */
  synchronized void setEventIndex(int index, int value) {
    page.set(ValueLayout.JAVA_INT, 0, value);
    dma().write(eventIndexes + 4L * index, page, 0, Integer.BYTES);
  }

  /** Puts an entry into a completion queue, whatever it says, and interrupts. */
  synchronized void post(int queue, int dword0, int dword2, int commandId, int status) {
    Queue completions = Objects.requireNonNull(completionQueues.get(queue));
    long at = completions.address + (long) completions.tail * CompletionEntry.SIZE;
    dma().writeLong(at, dword0);
    dma()
        .writeLong(
            at + 8,
            Integer.toUnsignedLong(dword2)
                | (long) CompletionEntry.dword3(commandId, completions.phase, status) << 32);
    if (++completions.tail == completions.entries) {
      completions.tail = 0;
      completions.phase = !completions.phase;
    }
    if (completions.vector >= 0) {
      if (context().hasMessageInterrupts()) {
        context().signal(completions.vector);
      }
      updateLine();
    }
  }

  private ModelContext context() {
    return Objects.requireNonNull(plugged);
  }

  private DmaPort dma() {
    return Objects.requireNonNull(port);
  }

  private void updateLine() {
    boolean pending =
        completionQueues.values().stream()
            .anyMatch(
                queue ->
                    queue.vector >= 0
                        && queue.head != queue.tail
                        && (interruptMask >>> queue.vector & 1) == 0);
    context().setInterruptLine(pending && !context().hasMessageInterrupts());
  }

  private void configure(int value) {
    boolean enable = Cc.en(value) && !Cc.en(cc);
    boolean disable = !Cc.en(value) && Cc.en(cc);
    cc = value;
    if (enable) {
      log.add("enable");
      int entries = Aqa.submissionEntries(aqa);
      submissionQueues.put(0, new Queue(0, address(0), entries, 0, -1));
      completionQueues.put(0, new Queue(0, address(8), Aqa.completionEntries(aqa), 0, 0));
      csts = Csts.withCfs(Csts.withRdy(0, !neverReady), fatalWhenEnabled);
    } else if (disable) {
      log.add("disable");
      disable();
      csts = Csts.withRdy(0, neverDisabled);
    }
    if (Cc.shn(value) != Cc.SHN_NONE && !neverShutDown) {
      log.add("shutdown");
      csts = Csts.withShst(csts, Csts.SHST_COMPLETE);
    }
  }

  private long address(int offset) {
    return queueAddresses.get(ValueLayout.JAVA_LONG, offset);
  }

  private void disable() {
    submissionQueues.clear();
    completionQueues.clear();
    doorbellBuffer = 0;
    eventRequests.clear();
    interruptMask = 0;
    updateLine();
  }

  private void doorbell(int index, int value) {
    Queue queue =
        (index & 1) == 0 ? submissionQueues.get(index / 2) : completionQueues.get(index / 2);
    if (queue == null) {
      log.add("doorbell of no queue");
    } else if ((index & 1) == 1) {
      queue.head = value;
      updateLine();
    } else {
      queue.tail = value;
      while (queue.head != queue.tail) {
        dma()
            .read(
                queue.address + (long) queue.head * SubmissionEntry.SIZE,
                entry,
                0,
                SubmissionEntry.SIZE);
        queue.head = (queue.head + 1) % queue.entries;
        Command command = new Command(queue);
        script.on(command);
      }
    }
  }

  /** A command that was fetched. */
  final class Command {
    final int queueId;
    final int opcode;
    final int id;
    final int namespaceId;
    final long prp1;
    final long prp2;
    final long slba;
    final int dword10;
    final int dword11;
    final int dword12;
    final int[] dwords = new int[16];
    private final Queue queue;

    private Command(Queue queue) {
      this.queue = queue;
      for (int i = 0; i < 16; i++) {
        dwords[i] = entry.get(ValueLayout.JAVA_INT, 4L * i);
      }
      queueId = queue.id;
      opcode = SubmissionEntry.opcode(dwords[0]);
      id = SubmissionEntry.commandId(dwords[0]);
      namespaceId = dwords[1];
      prp1 = longAt(6);
      prp2 = longAt(8);
      slba = longAt(10);
      dword10 = dwords[10];
      dword11 = dwords[11];
      dword12 = dwords[12];
    }

    private long longAt(int dword) {
      return Integer.toUnsignedLong(dwords[dword]) | (long) dwords[dword + 1] << 32;
    }

    boolean isAdmin() {
      return queueId == 0;
    }

    boolean isIo() {
      return queueId != 0;
    }

    void complete(int status) {
      complete(0, status);
    }

    void complete(NvmeStatus status) {
      complete(0, status.status());
    }

    void complete(int result, int status) {
      post(queue.completionQueue, result, CompletionEntry.dword2(queue.head, queue.id), id, status);
    }

    void execute() {
      if (isIo()) {
        complete(io());
        return;
      }
      log.add(AdminOpcode.name(opcode));
      switch (opcode) {
        case AdminOpcode.IDENTIFY -> complete(identify());
        case AdminOpcode.SET_FEATURES -> complete(Features.numberOfQueues(queues, queues), 0);
        case AdminOpcode.CREATE_IO_COMPLETION_QUEUE -> {
          int queueId = AdminCommand.queueId(dword10);
          completionQueues.put(
              queueId,
              new Queue(
                  queueId,
                  prp1,
                  AdminCommand.queueEntries(dword10),
                  0,
                  AdminCommand.areInterruptsEnabled(dword11)
                      ? AdminCommand.interruptVector(dword11)
                      : -1));
          complete(0);
        }
        case AdminOpcode.CREATE_IO_SUBMISSION_QUEUE -> {
          int queueId = AdminCommand.queueId(dword10);
          submissionQueues.put(
              queueId,
              new Queue(
                  queueId,
                  prp1,
                  AdminCommand.queueEntries(dword10),
                  AdminCommand.completionQueueId(dword11),
                  -1));
          complete(0);
        }
        case AdminOpcode.DELETE_IO_SUBMISSION_QUEUE -> {
          submissionQueues.remove(AdminCommand.queueId(dword10));
          complete(0);
        }
        case AdminOpcode.DELETE_IO_COMPLETION_QUEUE -> {
          completionQueues.remove(AdminCommand.queueId(dword10));
          complete(0);
        }
        case AdminOpcode.ABORT -> complete(1, 0);
        case AdminOpcode.DOORBELL_BUFFER_CONFIG -> {
          doorbellBuffer = prp1;
          eventIndexes = prp2;
          complete(0);
        }
        case AdminOpcode.ASYNCHRONOUS_EVENT_REQUEST -> {
          if (eventRequests.size() > identity.asynchronousEventRequestLimit()) {
            complete(NvmeStatus.ASYNCHRONOUS_EVENT_REQUEST_LIMIT_EXCEEDED);
          } else {
            eventRequests.add(this);
          }
        }
        case AdminOpcode.GET_LOG_PAGE -> {
          MemorySegment content = logPages.get(AdminCommand.logPage(dword10));
          if (content == null) {
            complete(NvmeStatus.INVALID_LOG_PAGE);
          } else {
            int size = (int) AdminCommand.logPageSize(dword10, dword11);
            send(content.asSlice(dword12, Math.min(size, content.byteSize() - dword12)));
            complete(0);
          }
        }
        default -> complete(NvmeStatus.INVALID_COMMAND_OPCODE);
      }
    }

    private int identify() {
      MemorySegment answer;
      switch (AdminCommand.cns(dword10)) {
        case Cns.CONTROLLER -> answer = identity.segment();
        case Cns.ACTIVE_NAMESPACE_LIST -> {
          if (lacksNamespaceList) {
            return NvmeStatus.INVALID_FIELD_IN_COMMAND.status();
          }
          NamespaceList list = NamespaceList.create();
          int index = 0;
          for (int active : namespaces.keySet()) {
            if ((active > namespaceId || repeatFirstNamespaces)
                && index < NamespaceList.MAX_ENTRIES) {
              list.setNamespaceId(index++, active);
            }
          }
          answer = list.segment();
        }
        case Cns.NAMESPACE_DESCRIPTOR_LIST -> {
          answer = MemorySegment.ofArray(new byte[PAGE]);
          byte[] commandSet = {commandSets.getOrDefault(namespaceId, 0).byteValue()};
          long next =
              NamespaceDescriptor.write(answer, 0, NamespaceDescriptor.NIDT_CSI, commandSet);
          NamespaceDescriptor.write(answer, next, NamespaceDescriptor.NIDT_UUID, uuid);
        }
        case Cns.NAMESPACE ->
            answer = namespaces.getOrDefault(namespaceId, IdentifyNamespace.create()).segment();
        default -> {
          return NvmeStatus.INVALID_FIELD_IN_COMMAND.status();
        }
      }
      MemorySegment.copy(answer, 0, page, 0, PAGE);
      dma().write(prp1, page, 0, PAGE);
      return 0;
    }

    private int io() {
      MemorySegment content = media.get(namespaceId);
      IdentifyNamespace namespace = namespaces.get(namespaceId);
      if (content == null || namespace == null) {
        return NvmeStatus.INVALID_NAMESPACE_OR_FORMAT.status();
      }
      int shift = namespace.formattedLbaFormat().lbads();
      long blocks = NvmCommand.blocks(dword12);
      if (opcode == NvmOpcode.READ
          || opcode == NvmOpcode.WRITE
          || opcode == NvmOpcode.COMPARE
          || opcode == NvmOpcode.VERIFY) {
        if (slba < 0 || slba + blocks > content.byteSize() >>> shift) {
          return NvmeStatus.LBA_OUT_OF_RANGE.status() | NvmeStatus.DO_NOT_RETRY;
        }
        MemorySegment range = content.asSlice(slba << shift, blocks << shift);
        if (opcode == NvmOpcode.COMPARE) {
          return receive(range.byteSize()).mismatch(range) == -1
              ? 0
              : NvmeStatus.COMPARE_FAILURE.status() | NvmeStatus.DO_NOT_RETRY;
        }
        if (opcode != NvmOpcode.VERIFY) {
          transfer(range, opcode == NvmOpcode.READ);
        }
      }
      return 0;
    }

    /** Gives the host data, at the PRPs of the command. */
    void send(MemorySegment data) {
      transfer(arena.allocate(data.byteSize(), 8).copyFrom(data), true);
    }

    /** Takes data of the host, from the PRPs of the command. */
    MemorySegment receive(long length) {
      MemorySegment data = arena.allocate(length, 8);
      transfer(data, false);
      return data;
    }

    private void transfer(MemorySegment data, boolean toHost) {
      long address = prp1;
      long at = 0;
      long list = 0;
      while (at < data.byteSize()) {
        long part = Math.min(PAGE - (address & (PAGE - 1)), data.byteSize() - at);
        if (toHost) {
          dma().write(address, data, at, part);
        } else {
          dma().read(address, data, at, part);
        }
        at += part;
        if (at < data.byteSize()) {
          if (list == 0 && data.byteSize() - at <= PAGE) {
            address = prp2;
          } else {
            list = list == 0 ? prp2 : list;
            if ((list & (PAGE - 1)) == PAGE - 8 && data.byteSize() - at > PAGE) {
              list = dma().readLong(list);
            }
            address = dma().readLong(list);
            list += 8;
          }
        }
      }
    }
  }
}
