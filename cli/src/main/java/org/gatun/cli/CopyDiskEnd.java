package org.gatun.cli;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Arrays;
import java.util.function.IntConsumer;
import org.gatun.driver.nvme.Completion;
import org.gatun.driver.nvme.NvmeCallback;
import org.gatun.driver.nvme.NvmeController;
import org.gatun.driver.nvme.NvmeNamespace;
import org.gatun.driver.nvme.NvmeQueuePair;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciException;
import org.gatun.specs.nvme.NvmeStatus;

/** A range of a namespace as an end of a copy, with a queue pair of its own. */
final class CopyDiskEnd implements CopyEnd, AutoCloseable {
  /** The other end waits meanwhile. */
  private static final Duration WAIT = Duration.ofMillis(1);

  private final NvmeController controller;
  private final NvmeNamespace namespace;
  private final long offset;
  private final int chunk;
  private final DmaBuffer buffer;
  private final NvmeQueuePair queue;
  private final IntConsumer[] done = new IntConsumer[NvmeCopy.SLOTS];
  private final NvmeCallback read = (context, status) -> completed("reading", context, status);
  private final NvmeCallback written = (context, status) -> completed("writing", context, status);
  private final long[] lbas = new long[NvmeCopy.SLOTS];
  private boolean closing;

  /**
   * @param offset where the copy begins, a multiple of the block
   * @param chunk the size of a slot: a multiple of the block, and no more than a transfer
   */
  CopyDiskEnd(
      HeldDevice held,
      NvmeController controller,
      NvmeNamespace namespace,
      Completion completion,
      long offset,
      int chunk) {
    this.controller = controller;
    this.namespace = namespace;
    this.offset = offset;
    this.chunk = chunk;
    this.buffer = held.device().dma().allocate((long) chunk * NvmeCopy.SLOTS, 4096);
    try {
      this.queue = controller.createQueuePair(NvmeCopy.SLOTS, completion);
    } catch (RuntimeException e) {
      buffer.close();
      throw e;
    }
    Arrays.fill(done, (IntConsumer) _ -> {});
  }

  /** Fewer than there are slots if the controller's queues are shorter (CAP.MQES). */
  @Override
  public int depth() {
    return queue.depth();
  }

  @Override
  public MemorySegment memory() {
    return buffer.segment();
  }

  @Override
  public void read(int slot, long position, int length, IntConsumer whenDone) {
    begin(slot, position, whenDone);
    accepted(
        queue.submitRead(
            namespace, lbas[slot], blocks(length), buffer, (long) slot * chunk, read, slot));
  }

  @Override
  public void write(int slot, long position, int length, IntConsumer whenDone) {
    begin(slot, position, whenDone);
    accepted(
        queue.submitWrite(
            namespace, lbas[slot], blocks(length), buffer, (long) slot * chunk, written, slot));
  }

  private void begin(int slot, long position, IntConsumer whenDone) {
    lbas[slot] = (offset + position) / namespace.blockSize();
    done[slot] = whenDone;
  }

  private int blocks(int length) {
    return length / namespace.blockSize();
  }

  @Override
  public void poll() {
    queue.ring();
    if (queue.inFlight() == 0) {
      return;
    }
    if (queue.completion() == Completion.POLL) {
      queue.poll();
    } else {
      queue.await(WAIT);
    }
  }

  @Override
  public void flush() {
    boolean[] flushed = {false};
    done[0] = _ -> flushed[0] = true;
    lbas[0] = offset / namespace.blockSize();
    accepted(
        queue.submitFlush(
            namespace, (context, status) -> completed("flushing", context, status), 0));
    while (!flushed[0]) {
      poll();
    }
  }

  private void completed(String operation, long context, int status) {
    if (closing) {
      return; // of a copy that has failed, and is over
    }
    int slot = (int) context;
    if (!NvmeStatus.isSuccess(status)) {
      throw new PciException(
          controller.name(),
          "%s namespace %s at LBA %d: %s"
              .formatted(
                  operation,
                  Integer.toUnsignedString(namespace.id()),
                  lbas[slot],
                  NvmeStatus.describe(status)),
          controller.lastReset().map(why -> "the controller was reset: " + why).orElse(null),
          null);
    }
    done[slot].accept(slot);
  }

  private void accepted(boolean submitted) {
    if (!submitted) {
      throw new IllegalStateException("a queue of depth " + depth() + " took fewer commands");
    }
  }

  /** What is in flight comes to its end first. */
  @Override
  public void close() {
    closing = true;
    try (buffer) {
      queue.close();
    }
  }
}
