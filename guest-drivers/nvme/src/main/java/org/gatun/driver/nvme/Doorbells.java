package org.gatun.driver.nvme;

import java.lang.invoke.VarHandle;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.Mmio;
import org.gatun.specs.nvme.NvmeRegisters;
import org.jspecify.annotations.Nullable;

/**
 * The doorbells of all queues. Where the controller has a doorbell buffer (Base 5.8, Annex B.5),
 * the host writes there, in memory, what it would write to the register, and writes the register
 * only if the controller has asked for that: as long as it looks for itself, no register is
 * written. Each doorbell is rung by one thread at a time.
 */
final class Doorbells implements AutoCloseable {
  /** Of either buffer: a memory page (Base 5.8). */
  private static final int PAGE = PrpLists.PAGE_SIZE;

  private final Mmio registers;
  private final int stride;
  private final int queues;

  /** A page that the host writes, and a page that the controller writes (EventIdx). */
  private @Nullable DmaBuffer memory;

  /** The same, once the controller knows it. */
  private @Nullable DmaBuffer buffer;

  /**
   * @param registers mapped from 1000h on; closed with this
   * @param stride CAP.DSTRD
   * @param queues how many I/O queue pairs there are doorbells for
   */
  Doorbells(Mmio registers, int stride, int queues) {
    this.registers = registers;
    this.stride = stride;
    this.queues = queues;
  }

  /** Which doorbell tells of entries in a submission queue: an offset, in bytes. */
  long submissionTail(int queue) {
    return NvmeRegisters.submissionTailDoorbell(queue, stride) - NvmeRegisters.DOORBELLS;
  }

  /** Which doorbell tells of entries taken from a completion queue: an offset, in bytes. */
  long completionHead(int queue) {
    return NvmeRegisters.completionHeadDoorbell(queue, stride) - NvmeRegisters.DOORBELLS;
  }

  /** Whether the doorbells of all queues would have room in a buffer. */
  boolean fitBuffer() {
    return submissionTail(queues + 1) <= PAGE;
  }

  /**
   * Gives a controller that has just been enabled its buffer, in which nothing is rung yet. Before
   * any I/O queue is created.
   *
   * @throws NvmeStatusException if it does not take it: then it has none
   */
  void configureBuffer(DmaSpace dma, AdminQueue admin) {
    DmaBuffer shared = memory;
    if (shared == null) {
      shared = dma.allocate(2L * PAGE, PAGE);
      // From here on it stays until the controller is disabled: without an answer, it may be known.
      memory = shared;
    } else {
      shared.copyIn(0, new byte[2 * PAGE]);
    }
    admin.configureDoorbellBuffer(shared.busAddress(), shared.busAddress() + PAGE);
    buffer = shared;
  }

  /** A queue pair that the controller does not know yet: nothing is rung. */
  void clear(int queue) {
    DmaBuffer shared = buffer;
    if (shared != null) {
      for (long doorbell : new long[] {submissionTail(queue), completionHead(queue)}) {
        shared.putInt(doorbell, 0);
        shared.putIntRelease(PAGE + doorbell, 0);
      }
    }
  }

  /**
   * Rings.
   *
   * @param from what was last rung
   * @param to other than that
   */
  void ring(long doorbell, int from, int to) {
    DmaBuffer shared = buffer;
    if (shared == null || isAwaited(shared, doorbell, from, to)) {
      registers.write32(doorbell, to);
    }
  }

  /** Rings a doorbell of the admin queue: its register is always written (Annex B.5). */
  void ringAdmin(long doorbell, int to) {
    DmaBuffer shared = buffer;
    if (shared != null) {
      shared.putIntRelease(doorbell, to);
    }
    registers.write32(doorbell, to);
  }

  /** Writes the buffer; returns whether the controller waits for the register to be written. */
  private static boolean isAwaited(DmaBuffer shared, long doorbell, int from, int to) {
    shared.putIntRelease(doorbell, to);
    // The controller writes EventIdx and then looks at the doorbell once more; this is the other
    // half of that: one of the two sees what the other has written.
    VarHandle.fullFence();
    int event = shared.getIntAcquire(PAGE + doorbell);
    // Is it one of from..to - 1? Whatever the controller says, the answer is yes or no.
    return ((to - event - 1) & 0xffff) < ((to - from) & 0xffff);
  }

  @Override
  public void close() {
    DmaBuffer shared = memory;
    if (shared != null) {
      shared.close();
    }
    registers.close();
  }
}
