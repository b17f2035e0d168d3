package org.gatun.driver.nvme;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaSpace;
import org.gatun.specs.nvme.DataTransfer;

/**
 * The data of one command that the driver copies, in DMA memory of its own: whole pages, so that
 * nothing else is reached by a controller that goes beyond the data's end.
 */
final class CommandData implements AutoCloseable {
  /** Sends the command, and returns when the controller is done with the data, whatever happens. */
  interface Exchange {
    NvmeResult run(long prp1, long prp2);
  }

  private final DmaBuffer memory;
  private final long prp2;

  private CommandData(DmaBuffer memory, long prp2) {
    this.memory = memory;
    this.prp2 = prp2;
  }

  /** Sends a command with its data, for which there is memory while it is under way. */
  static NvmeResult exchange(DmaSpace dma, NvmeCommand command, Exchange exchange) {
    if (command.dataLength() == 0) {
      return exchange.run(0, 0);
    }
    try (CommandData data = of(dma, command)) {
      NvmeResult result = exchange.run(data.memory.busAddress(), data.prp2);
      return result.isSuccess() ? result.withData(returned(command, data.memory, 0)) : result;
    }
  }

  private static CommandData of(DmaSpace dma, NvmeCommand command) {
    int length = command.dataLength();
    long lists = (length + PrpLists.PAGE_SIZE - 1L) / PrpLists.PAGE_SIZE * PrpLists.PAGE_SIZE;
    DmaBuffer memory = dma.allocate(lists + PrpLists.bytesPerSlot(length), PrpLists.PAGE_SIZE);
    try {
      memory.copyIn(0, command.data().toArray(ValueLayout.JAVA_BYTE));
      long prp2 = new PrpLists(memory, lists, length).secondEntry(0, memory.busAddress(), length);
      return new CommandData(memory, prp2);
    } catch (RuntimeException e) {
      memory.close();
      throw e;
    }
  }

  /**
   * A copy of what the controller returned; empty if it returns nothing. In native memory: a view
   * of heap memory would make each register access of the program slower (its type profile is
   * shared).
   *
   * @param offset of the command's data in the memory
   */
  static MemorySegment returned(NvmeCommand command, DmaBuffer memory, long offset) {
    int length = DataTransfer.of(command.opcode()).isToHost() ? command.dataLength() : 0;
    MemorySegment copy = Arena.ofAuto().allocate(length);
    MemorySegment.copy(memory.segment(), offset, copy, 0, length);
    return copy;
  }

  @Override
  public void close() {
    memory.close();
  }
}
