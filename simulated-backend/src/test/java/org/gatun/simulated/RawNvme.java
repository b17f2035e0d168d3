package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;

import org.gatun.pci.Bar;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.specs.nvme.AdminCommand;
import org.gatun.specs.nvme.AdminOpcode;
import org.gatun.specs.nvme.Aqa;
import org.gatun.specs.nvme.Cc;
import org.gatun.specs.nvme.Cns;
import org.gatun.specs.nvme.CompletionEntry;
import org.gatun.specs.nvme.Csts;
import org.gatun.specs.nvme.IdentifyController;
import org.gatun.specs.nvme.IdentifyNamespace;
import org.gatun.specs.nvme.NvmCommand;
import org.gatun.specs.nvme.NvmeRegisters;
import org.gatun.specs.nvme.SubmissionEntry;
import org.jspecify.annotations.NullMarked;

/** A host that drives a controller by hand: every register write and queue entry is the test's. */
@NullMarked
final class RawNvme {
  static final int ENTRIES = 8;

  /** A completion: its dwords. */
  record Done(int dword0, int dword2, int dword3) {
    int status() {
      return CompletionEntry.status(dword3);
    }

    /** SCT and SC. */
    int code() {
      return status() & 0x7ff;
    }

    int id() {
      return CompletionEntry.commandId(dword3);
    }
  }

  /** A pair of queues. */
  final class Queue {
    final int id;
    final DmaBuffer submissions;
    final DmaBuffer completions;
    private int tail;
    private int head;
    private boolean phase = true;
    private int nextId;

    Queue(int id) {
      this.id = id;
      this.submissions = device.dma().allocate(ENTRIES * SubmissionEntry.SIZE, 4096);
      this.completions = device.dma().allocate(ENTRIES * CompletionEntry.SIZE, 4096);
    }

    /** Puts a command into the queue, and returns its id. */
    int put(int opcode, int nsid, long prp1, long prp2, int dword10, int dword11, int dword12) {
      int commandId = nextId;
      nextId = commandId == SubmissionEntry.MAX_COMMAND_ID ? 0 : commandId + 1;
      putDword0(
          SubmissionEntry.dword0(opcode, commandId), nsid, prp1, prp2, dword10, dword11, dword12);
      return commandId;
    }

    void putDword0(
        int dword0, int nsid, long prp1, long prp2, int dword10, int dword11, int dword12) {
      long entry = (long) tail * SubmissionEntry.SIZE;
      submissions.putInt(entry, dword0);
      submissions.putInt(entry + SubmissionEntry.NSID, nsid);
      submissions.putLong(entry + SubmissionEntry.PRP1, prp1);
      submissions.putLong(entry + SubmissionEntry.PRP2, prp2);
      submissions.putInt(entry + SubmissionEntry.DWORD10, dword10);
      submissions.putInt(entry + SubmissionEntry.DWORD11, dword11);
      submissions.putInt(entry + SubmissionEntry.DWORD12, dword12);
      submissions.putInt(entry + SubmissionEntry.DWORD13, 0);
      tail = (tail + 1) % ENTRIES;
    }

    void ring() {
      doorbell(id, false, tail);
    }

    boolean hasCompletion() {
      return CompletionEntry.phase(
              completions.getIntAcquire(
                  (long) head * CompletionEntry.SIZE + CompletionEntry.DWORD3))
          == phase;
    }

    /** Takes the next completion, which must be there. */
    Done take() {
      Done done = takeQuietly();
      doorbell(id, true, head);
      return done;
    }

    /** As {@link #take}, without telling the controller. */
    Done takeQuietly() {
      assertThat(hasCompletion()).as("queue %d has a completion", id).isTrue();
      long entry = (long) head * CompletionEntry.SIZE;
      Done done =
          new Done(
              completions.getIntAcquire(entry + CompletionEntry.DWORD0),
              completions.getIntAcquire(entry + CompletionEntry.DWORD2),
              completions.getIntAcquire(entry + CompletionEntry.DWORD3));
      head = (head + 1) % ENTRIES;
      phase = head == 0 ? !phase : phase;
      return done;
    }

    int head() {
      return head;
    }

    /** One command, from submission to completion. */
    Done run(int opcode, int nsid, long prp1, long prp2, int dword10, int dword11, int dword12) {
      int commandId = put(opcode, nsid, prp1, prp2, dword10, dword11, dword12);
      ring();
      while (doorbells.isDirect() && !hasCompletion()) {
        Thread.onSpinWait();
      }
      Done done = take();
      assertThat(done.id()).isEqualTo(commandId);
      assertThat(CompletionEntry.submissionQueueId(done.dword2())).isEqualTo(id);
      return done;
    }

    /** A read or write in whole blocks of namespace 1. */
    Done io(int opcode, long lba, int blocks, long prp1, long prp2) {
      return io(opcode, 1, lba, blocks, prp1, prp2);
    }

    Done io(int opcode, int nsid, long lba, int blocks, long prp1, long prp2) {
      return run(
          opcode, nsid, prp1, prp2, (int) lba, (int) (lba >>> 32), NvmCommand.dword12(blocks, 0));
    }
  }

  final PciDevice device;
  final Mmio registers;

  /** Direct if a thread of the controller polls them: then completions take a while. */
  final Mmio doorbells;

  final Queue admin;

  RawNvme(PciDevice device) {
    this.device = device;
    Bar bar = device.bar(NvmeRegisters.BAR).orElseThrow();
    this.registers = bar.map(0, NvmeRegisters.DOORBELLS);
    this.doorbells = bar.map(NvmeRegisters.DOORBELLS, 0x1000);
    this.admin = new Queue(0);
  }

  int csts() {
    return registers.read32(NvmeRegisters.CSTS);
  }

  void configure(int cc) {
    registers.write32(NvmeRegisters.CC, cc);
  }

  static int enabledCc() {
    int cc = Cc.withIosqes(0, SubmissionEntry.SIZE_LOG2);
    return Cc.withEn(Cc.withIocqes(cc, CompletionEntry.SIZE_LOG2), true);
  }

  void doorbell(int id, boolean completion, int value) {
    long offset =
        completion
            ? NvmeRegisters.completionHeadDoorbell(id, 0)
            : NvmeRegisters.submissionTailDoorbell(id, 0);
    doorbells.write32(offset - NvmeRegisters.DOORBELLS, value);
  }

  /** Sets up the admin queue, and enables. */
  void enable() {
    device.busMaster(true);
    registers.write32(NvmeRegisters.AQA, Aqa.of(ENTRIES, ENTRIES));
    registers.write64(NvmeRegisters.ASQ, admin.submissions.busAddress());
    registers.write64(NvmeRegisters.ACQ, admin.completions.busAddress());
    configure(enabledCc());
    assertThat(Csts.rdy(csts())).isTrue();
  }

  /** Identify into a buffer: its status, SCT and SC. */
  int identify(int cns, int nsid, DmaBuffer data) {
    int dword10 = AdminCommand.identifyDword10(cns);
    return admin.run(AdminOpcode.IDENTIFY, nsid, data.busAddress(), 0, dword10, 0, 0).code();
  }

  IdentifyController identifyController(DmaBuffer data) {
    assertThat(identify(Cns.CONTROLLER, 0, data)).isZero();
    return IdentifyController.copyOf(data.segment());
  }

  IdentifyNamespace identifyNamespace(int nsid, DmaBuffer data) {
    assertThat(identify(Cns.NAMESPACE, nsid, data)).isZero();
    return IdentifyNamespace.copyOf(data.segment());
  }

  /** Get Log Page into a buffer, which clears its event: its status, SCT and SC. */
  int logPage(int page, long size, DmaBuffer data) {
    return admin
        .run(
            AdminOpcode.GET_LOG_PAGE,
            SubmissionEntry.NSID_ALL,
            data.busAddress(),
            0,
            AdminCommand.logPageDword10(page, false, size),
            AdminCommand.logPageDword11(size),
            0)
        .code();
  }

  /** Get Features or Set Features. */
  Done feature(int opcode, int dword10, int dword11) {
    return admin.run(opcode, 0, 0, 0, dword10, dword11, 0);
  }

  /** Format NVM: its status, SCT and SC. */
  int format(int nsid, int dword10) {
    return admin.run(AdminOpcode.FORMAT_NVM, nsid, 0, 0, dword10, 0, 0).code();
  }

  /** Has the controller keep a request for an event, and returns the id of the command. */
  int requestEvent() {
    int id = admin.put(AdminOpcode.ASYNCHRONOUS_EVENT_REQUEST, 0, 0, 0, 0, 0, 0);
    admin.ring();
    return id;
  }

  /** Creates a pair of queues without interrupts. */
  Queue createQueue(int id) {
    return createQueue(id, AdminCommand.completionQueueDword11());
  }

  Queue createQueue(int id, int completionDword11) {
    Queue queue = new Queue(id);
    assertThat(createCompletionQueue(queue, completionDword11).status()).isZero();
    assertThat(createSubmissionQueue(queue, id).status()).isZero();
    return queue;
  }

  Done createCompletionQueue(Queue queue, int dword11) {
    return admin.run(
        AdminOpcode.CREATE_IO_COMPLETION_QUEUE,
        0,
        queue.completions.busAddress(),
        0,
        AdminCommand.createQueueDword10(queue.id, ENTRIES),
        dword11,
        0);
  }

  Done createSubmissionQueue(Queue queue, int completionQueue) {
    return admin.run(
        AdminOpcode.CREATE_IO_SUBMISSION_QUEUE,
        0,
        queue.submissions.busAddress(),
        0,
        AdminCommand.createQueueDword10(queue.id, ENTRIES),
        AdminCommand.submissionQueueDword11(completionQueue, 0),
        0);
  }
}
