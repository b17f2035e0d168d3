package org.gatun.driver.nvme;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciException;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;

/**
 * A namespace, read and written by byte offset, by calls that return before they are done: futures
 * say when that is. A long request is split into commands; all are told to the controller at once,
 * as far as the queue has room, for which the call waits.
 *
 * <p>One thread, as its queue pair; that thread calls {@link #poll} or {@link #await}, from inside
 * of which, or of a request that waits for room, futures are completed. A future that is cancelled
 * does not stop its request: the buffer stays the controller's until the queue has told so.
 *
 * <p>What to read or write is checked before anything is sent, as {@link NvmeDisk} does, with
 * {@link IllegalArgumentException}, and {@link NvmeNamespaceException}. A future fails as a request
 * of {@link NvmeDisk} does: with {@link NvmeStatusException} for the failed command with the lowest
 * address, when all of the request's commands are complete.
 */
public final class NvmeAsyncDisk implements AutoCloseable {
  private static final Duration WAIT = Duration.ofSeconds(1);

  private final NvmeController controller;
  private final OpenNamespace place;
  private final NvmeQueuePair queue;

  NvmeAsyncDisk(NvmeController controller, NvmeNamespace namespace, NvmeQueuePair queue) {
    this.controller = controller;
    this.place = new OpenNamespace(controller, namespace);
    this.queue = queue;
  }

  /**
   * The namespace, as it is known now: it may have grown, or shrunk.
   *
   * @throws NvmeNamespaceException if it has vanished, or has become another one
   */
  public NvmeNamespace namespace() {
    return place.namespace();
  }

  /**
   * Reads into DMA memory.
   *
   * @param offset in the namespace, in bytes: a multiple of the block
   * @param bufferOffset in the buffer, in bytes: a multiple of 4
   * @param length in bytes: a multiple of the block
   */
  public CompletableFuture<Void> read(
      long offset, DmaBuffer buffer, long bufferOffset, long length) {
    return transfer(NvmOpcode.READ, offset, buffer, bufferOffset, length);
  }

  /** Writes from DMA memory, as {@link #read} reads. */
  public CompletableFuture<Void> write(
      long offset, DmaBuffer buffer, long bufferOffset, long length) {
    return transfer(NvmOpcode.WRITE, offset, buffer, bufferOffset, length);
  }

  /** Brings to the media what was written by requests that are done. */
  public CompletableFuture<Void> flush() {
    NvmeNamespace namespace = place.namespace();
    Request request = new Request(NvmOpcode.FLUSH, namespace.id(), 1);
    while (!queue.submitFlush(namespace, request, -1)) {
      waitForRoom();
    }
    queue.ring();
    return request.future;
  }

  /**
   * Completes the futures of what is done. Does not wait.
   *
   * @return how many commands there were
   * @throws DeviceProtocolException if the controller broke the protocol
   * @throws DeviceGoneException if the controller is gone or closed
   * @throws PciException if the controller has failed before
   */
  public int poll() {
    return queue.poll();
  }

  /** Waits until commands are complete, and completes futures: as {@link NvmeQueuePair#await}. */
  public int await(Duration limit) {
    return queue.await(limit);
  }

  /** How many commands are in flight. */
  public int inFlight() {
    return queue.inFlight();
  }

  /** Gives the queue pair back; what is in flight fails. Idempotent; by the owner. */
  @Override
  public void close() {
    queue.close();
  }

  private CompletableFuture<Void> transfer(
      int opcode, long offset, DmaBuffer buffer, long bufferOffset, long length) {
    BlockRange range = place.range(offset, length);
    NvmeNamespace namespace = place.namespace();
    range.checkBuffer(controller.name(), namespace, buffer, bufferOffset);
    int longest = namespace.maxTransferBlocks();
    Request request = new Request(opcode, namespace.id(), (range.blocks() + longest - 1) / longest);
    for (long done = 0; done < range.blocks(); done += longest) {
      long lba = range.first() + done;
      int blocks = (int) Math.min(longest, range.blocks() - done);
      long at = bufferOffset + (done << namespace.blockShift());
      while (!submit(opcode, namespace, lba, blocks, buffer, at, request)) {
        waitForRoom();
      }
    }
    queue.ring();
    return request.future;
  }

  private boolean submit(
      int opcode,
      NvmeNamespace namespace,
      long lba,
      int blocks,
      DmaBuffer buffer,
      long at,
      Request request) {
    return opcode == NvmOpcode.READ
        ? queue.submitRead(namespace, lba, blocks, buffer, at, request, lba)
        : queue.submitWrite(namespace, lba, blocks, buffer, at, request, lba);
  }

  /** The request goes on in any case: some of it is the controller's. */
  private void waitForRoom() {
    queue.ring();
    queue.await(WAIT);
  }

  /** One call of ours: the commands that it is split into, and what became of them. */
  private final class Request implements NvmeCallback {
    final CompletableFuture<Void> future = new CompletableFuture<>();
    private final int opcode;
    private final int namespaceId;
    private long outstanding;
    private int failure;
    private long failedLba = Long.MAX_VALUE;

    Request(int opcode, int namespaceId, long commands) {
      this.opcode = opcode;
      this.namespaceId = namespaceId;
      this.outstanding = commands;
      if (commands == 0) {
        future.complete(null);
      }
    }

    @Override
    public void completed(long lba, int status) {
      if (!NvmeStatus.isSuccess(status) && lba < failedLba) {
        failure = status;
        failedLba = lba;
      }
      if (--outstanding > 0) {
        return;
      }
      if (failure == 0) {
        future.complete(null);
      } else {
        future.completeExceptionally(controller.failed(opcode, failure, namespaceId, failedLba));
      }
    }
  }
}
