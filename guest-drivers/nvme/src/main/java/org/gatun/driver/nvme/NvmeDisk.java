package org.gatun.driver.nvme;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.PciException;
import org.gatun.specs.nvme.DatasetManagementRange;
import org.gatun.specs.nvme.NvmCommand;
import org.gatun.specs.nvme.NvmOpcode;
import org.gatun.specs.nvme.NvmeStatus;
import org.jspecify.annotations.Nullable;

/**
 * A namespace, read and written by byte offset: each call returns when it is done. A long request
 * is split into commands, of which as many are in flight as the queue is deep.
 *
 * <p>One thread, as its queue pair. What to read or write is checked before anything is sent: a
 * request is a multiple of the block, at a multiple of the block, and inside the namespace. If a
 * command fails, no further ones are sent, those in flight are waited for, and the failure with the
 * lowest address is thrown: other parts of the request may or may not have been done.
 *
 * <p>Each request throws
 *
 * <ul>
 *   <li>{@link IllegalArgumentException} if it breaks the rules above;
 *   <li>{@link NvmeNamespaceException} if the namespace has vanished, has shrunk so that it breaks
 *       them, or has become another one, and the driver knows: it looks when the controller tells
 *       ({@link NvmeController#pollEvents}), and after a command that may be the cause;
 *   <li>{@link NvmeStatusException} if a command fails; with {@link
 *       NvmeStatus#COMMAND_ABORT_REQUESTED}, {@link NvmeStatus#COMMAND_ABORTED_DUE_TO_SQ_DELETION}
 *       or {@link NvmeStatus#COMMAND_ABORTED_BY_HOST} if it was not completed in time: it may have
 *       taken effect, or not;
 *   <li>{@link DeviceProtocolException} and {@link DeviceGoneException}, and {@link PciException}
 *       for a controller that has failed before, as {@link NvmeQueuePair#poll}.
 * </ul>
 */
public final class NvmeDisk implements AutoCloseable {
  private static final int MAX_COPY_BYTES = 128 << 10;
  private static final int MAX_COPY_SLOTS = 16;
  private static final long MAX_RANGE_BLOCKS = 0xffff_ffffL;
  private static final Duration WAIT = Duration.ofSeconds(1);

  private final NvmeController controller;
  private final NvmeQueuePair queue;
  private final DmaSpace dma;
  private final OpenNamespace place;
  private @Nullable CopyBuffer copyBuffer;

  NvmeDisk(NvmeController controller, NvmeNamespace namespace, NvmeQueuePair queue, DmaSpace dma) {
    this.controller = controller;
    this.place = new OpenNamespace(controller, namespace);
    this.queue = queue;
    this.dma = dma;
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
   * Reads into DMA memory: nothing is copied.
   *
   * @param offset in the namespace, in bytes
   * @param bufferOffset in the buffer, in bytes: a multiple of 4
   * @param length in bytes
   */
  public void read(long offset, DmaBuffer buffer, long bufferOffset, long length) {
    transfer(NvmOpcode.READ, offset, buffer, bufferOffset, length);
  }

  /**
   * Reads as many bytes as the memory has, which is of any kind.
   *
   * @throws IllegalArgumentException also if the memory is read-only, or confined to another thread
   * @throws IllegalStateException if it is closed meanwhile
   */
  public void read(long offset, MemorySegment target) {
    copy(NvmOpcode.READ, offset, target);
  }

  /** Reads as many bytes as the array has. */
  public void read(long offset, byte[] target) {
    read(offset, MemorySegment.ofArray(target));
  }

  /** Writes from DMA memory, as {@link #read(long, DmaBuffer, long, long)} reads. */
  public void write(long offset, DmaBuffer buffer, long bufferOffset, long length) {
    transfer(NvmOpcode.WRITE, offset, buffer, bufferOffset, length);
  }

  /** Writes all of the memory, which is of any kind. */
  public void write(long offset, MemorySegment source) {
    copy(NvmOpcode.WRITE, offset, source);
  }

  /** Writes all of the array. */
  public void write(long offset, byte[] source) {
    write(offset, MemorySegment.ofArray(source));
  }

  /**
   * Has the controller compare a range with data, in DMA memory: nothing is copied, nor read.
   *
   * @return whether they are the same
   * @throws PciException also if the controller does not have the command
   */
  public boolean compare(long offset, DmaBuffer buffer, long bufferOffset, long length) {
    return isSame(() -> transfer(NvmOpcode.COMPARE, offset, buffer, bufferOffset, length));
  }

  /** As {@link #compare(long, DmaBuffer, long, long)}, with all of the memory, of any kind. */
  public boolean compare(long offset, MemorySegment data) {
    return isSame(() -> copy(NvmOpcode.COMPARE, offset, data));
  }

  /** As {@link #compare(long, DmaBuffer, long, long)}, with all of the array. */
  public boolean compare(long offset, byte[] data) {
    return compare(offset, MemorySegment.ofArray(data));
  }

  private static boolean isSame(Runnable compare) {
    try {
      compare.run();
      return true;
    } catch (NvmeStatusException e) {
      if (e.status().equals(Optional.of(NvmeStatus.COMPARE_FAILURE))) {
        return false;
      }
      throw e;
    }
  }

  /**
   * Has the controller read a range, to find out whether it can: no data are transferred.
   *
   * @throws PciException also if the controller does not have the command
   */
  public void verify(long offset, long length) {
    // In parts no longer than a transfer: a controller may limit them (VSL), though hardly further.
    request(NvmOpcode.VERIFY, offset, length)
        .run(
            place.known().maxTransferBlocks(),
            (lba, blocks, request) ->
                queue.submitVerify(place.known(), lba, (int) blocks, request, lba));
  }

  /** Brings all that was written to the media. */
  public void flush() {
    namespace();
    new Request(NvmOpcode.FLUSH, 0, 1)
        .run(1, (_, _, request) -> queue.submitFlush(place.known(), request, -1));
  }

  /**
   * Makes a range read as zeroes.
   *
   * @throws PciException also if the controller does not have the command
   */
  public void writeZeroes(long offset, long length) {
    request(NvmOpcode.WRITE_ZEROES, offset, length)
        .run(
            NvmCommand.MAX_BLOCKS,
            (lba, blocks, request) ->
                queue.submitWriteZeroes(place.known(), lba, (int) blocks, request, lba));
  }

  /**
   * Tells the controller that the content of a range is not needed any more: what it reads as
   * afterwards is up to the namespace (DLFEAT).
   *
   * @throws PciException also if the controller does not have the command
   */
  public void deallocate(long offset, long length) {
    request(NvmOpcode.DATASET_MANAGEMENT, offset, length)
        .run(
            MAX_RANGE_BLOCKS,
            (lba, blocks, request) ->
                queue.submitDeallocate(place.known(), lba, blocks, request, lba));
  }

  /** A part of the namespace, in bytes. */
  public record Range(long offset, long length) {}

  /**
   * As {@link #deallocate(long, long)}, of several ranges, up to 256 with each command. The failure
   * that is thrown is that of the command whose first range has the lowest address.
   */
  public void deallocate(List<Range> ranges) {
    List<DatasetManagementRange> parts = new ArrayList<>();
    for (Range range : ranges) {
      Request whole = request(NvmOpcode.DATASET_MANAGEMENT, range.offset, range.length);
      for (long done = 0; done < whole.blocks; done += MAX_RANGE_BLOCKS) {
        parts.add(
            new DatasetManagementRange(
                0, Math.min(MAX_RANGE_BLOCKS, whole.blocks - done), whole.first + done));
      }
    }
    new Request(NvmOpcode.DATASET_MANAGEMENT, 0, parts.size())
        .run(
            NvmCommand.MAX_RANGES,
            (first, count, request) -> {
              List<DatasetManagementRange> some = parts.subList((int) first, (int) (first + count));
              return queue.submitDeallocate(
                  place.known(), some, request, some.getFirst().startingLba());
            });
  }

  /**
   * Executes a command of any kind on the disk's queue pair, as {@link NvmeQueuePair#execute}.
   *
   * @throws IllegalArgumentException if the command is of another namespace, or of all
   */
  public NvmeResult execute(NvmeCommand command) {
    if (command.namespaceId() != namespace().id()) {
      throw new IllegalArgumentException(
          "%s: %s of namespace %s can't go to a disk that is namespace %s"
              .formatted(
                  controller.name(),
                  NvmOpcode.name(command.opcode()),
                  Integer.toUnsignedString(command.namespaceId()),
                  Integer.toUnsignedString(place.known().id())));
    }
    return queue.execute(command);
  }

  /** Gives the queue pair back. Idempotent; by the owner. */
  @Override
  public void close() {
    try {
      queue.close();
    } finally {
      CopyBuffer copy = copyBuffer;
      if (copy != null) {
        copy.memory.close();
      }
    }
  }

  private void transfer(int opcode, long offset, DmaBuffer buffer, long bufferOffset, long length) {
    BlockRange range = place.range(offset, length);
    NvmeNamespace namespace = place.namespace();
    range.checkBuffer(controller.name(), namespace, buffer, bufferOffset);
    Request request = new Request(opcode, range.first(), range.blocks());
    request.run(
        namespace.maxTransferBlocks(),
        (lba, blocks, callback) -> {
          long at = bufferOffset + (lba << namespace.blockShift()) - offset;
          return submit(opcode, lba, (int) blocks, buffer, at, callback);
        });
  }

  private boolean submit(
      int opcode, long lba, int blocks, DmaBuffer buffer, long at, NvmeCallback callback) {
    return switch (opcode) {
      case NvmOpcode.READ ->
          queue.submitRead(place.known(), lba, blocks, buffer, at, callback, lba);
      case NvmOpcode.WRITE ->
          queue.submitWrite(place.known(), lba, blocks, buffer, at, callback, lba);
      default -> queue.submitCompare(place.known(), lba, blocks, buffer, at, callback, lba);
    };
  }

  /** Transfers by way of DMA memory of our own. */
  private void copy(int opcode, long offset, MemorySegment memory) {
    if (opcode == NvmOpcode.READ && memory.isReadOnly()) {
      throw new IllegalArgumentException("memory that is read-only can't take what is read");
    }
    if (!memory.isAccessibleBy(Thread.currentThread())) {
      throw new IllegalArgumentException("the memory is confined to another thread");
    }
    Request request = request(opcode, offset, memory.byteSize());
    CopyBuffer copy = copyBuffer();
    request.run(
        copy.slotSize >>> place.known().blockShift(),
        (lba, blocks, callback) -> {
          if (copy.freeCount == 0) {
            return false;
          }
          int slot = copy.free[copy.freeCount - 1];
          long at = (long) slot * copy.slotSize;
          long bytes = blocks << place.known().blockShift();
          long position = (lba << place.known().blockShift()) - offset;
          if (opcode != NvmOpcode.READ) {
            MemorySegment.copy(memory, position, copy.memory.segment(), at, bytes);
          }
          NvmeCallback done =
              (_, status) -> {
                if (opcode == NvmOpcode.READ && NvmeStatus.isSuccess(status)) {
                  try {
                    MemorySegment.copy(copy.memory.segment(), at, memory, position, bytes);
                  } catch (RuntimeException | InternalError e) {
                    // The memory was closed meanwhile, or its file cut off. The slot is free even
                    // so.
                    request.give(e);
                  }
                }
                copy.free[copy.freeCount++] = slot;
                callback.completed(lba, status);
              };
          boolean submitted = submit(opcode, lba, (int) blocks, copy.memory, at, done);
          if (submitted) {
            copy.freeCount--;
          }
          return submitted;
        });
  }

  private CopyBuffer copyBuffer() {
    CopyBuffer copy = copyBuffer;
    if (copy == null) {
      int slotSize =
          Math.max(
              place.known().blockSize(),
              Math.min(
                  MAX_COPY_BYTES, place.known().maxTransferBlocks() << place.known().blockShift()));
      copy = new CopyBuffer(dma, slotSize, Math.min(queue.depth(), MAX_COPY_SLOTS));
      copyBuffer = copy;
    }
    return copy;
  }

  private Request request(int opcode, long offset, long length) {
    BlockRange range = place.range(offset, length);
    return new Request(opcode, range.first(), range.blocks());
  }

  /** Submits one command of a request. */
  private interface Step {
    /**
     * @return false if it has to wait for another one
     */
    boolean submit(long lba, long blocks, NvmeCallback callback);
  }

  /** DMA memory for those who have none: slots, each for one command. */
  private static final class CopyBuffer {
    final DmaBuffer memory;
    final int slotSize;
    final int[] free;
    int freeCount;

    CopyBuffer(DmaSpace dma, int slotSize, int slots) {
      this.memory = dma.allocate((long) slotSize * slots, PrpLists.PAGE_SIZE);
      this.slotSize = slotSize;
      this.free = new int[slots];
      for (int slot = 0; slot < slots; slot++) {
        free[slot] = slot;
      }
      this.freeCount = slots;
    }
  }

  /** One call of ours: the commands that it is split into, and what became of them. */
  private final class Request implements NvmeCallback {
    private final int opcode;
    private final long first;
    private final long blocks;
    private int outstanding;
    private int failure;
    private long failedLba = Long.MAX_VALUE;

    /** What the caller's memory threw; or a copy of it would end the poll of who comes next. */
    private @Nullable Throwable thrown;

    Request(int opcode, long first, long blocks) {
      this.opcode = opcode;
      this.first = first;
      this.blocks = blocks;
    }

    void run(long maxBlocks, Step step) {
      try {
        long done = 0;
        while (done < blocks && failure == 0 && thrown == null) {
          long count = Math.min(maxBlocks, blocks - done);
          if (step.submit(first + done, count, this)) {
            outstanding++;
            done += count;
          } else {
            queue.ring();
            waitForSome();
          }
        }
      } finally {
        // Whatever happened: the caller gets its memory back only when the controller is done with
        // it.
        queue.ring();
        while (outstanding > 0) {
          waitForSome();
        }
      }
      switch (thrown) {
        case null -> {}
        case RuntimeException e -> throw e;
        case Error e -> throw e;
        default -> throw new AssertionError(thrown);
      }
      if (failure != 0) {
        throw controller.failed(opcode, failure, place.known().id(), failedLba);
      }
    }

    /** Gives up, once all that is under way is complete, and throws that. */
    void give(Throwable reason) {
      thrown = reason;
    }

    @Override
    public void completed(long lba, int status) {
      outstanding--;
      if (!NvmeStatus.isSuccess(status) && lba < failedLba) {
        failure = status;
        failedLba = lba;
      }
    }

    /** An interrupt of the thread does not end a request: it can't be left to itself. */
    private void waitForSome() {
      boolean interrupted = Thread.interrupted();
      try {
        queue.await(WAIT);
      } finally {
        if (interrupted) {
          Thread.currentThread().interrupt();
        }
      }
    }
  }
}
