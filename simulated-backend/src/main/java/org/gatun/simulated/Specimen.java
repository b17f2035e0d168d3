package org.gatun.simulated;

import java.lang.foreign.MemorySegment;
import java.util.List;

/** The function of {@link SpecimenModel} at work. Its monitor guards its registers. */
final class Specimen implements RunningModel {
  private static final long REPEAT_NANOS = 1_000;

  private final ModelContext context;
  private final DmaPort dma;
  private MemorySegment memory;
  private final RegisterBytes registers = new RegisterBytes(SpecimenModel.REGISTERS_END);
  private final RegisterBytes ports = new RegisterBytes(SpecimenModel.PORTS_SIZE);

  /** A repetition that was scheduled before finds another number here, and is void. */
  private int generation;

  Specimen(ModelContext context) {
    this.context = context;
    this.dma = context.newDmaPort();
    this.memory = context.sharedMemory(SpecimenModel.MEMORY, 0);
  }

  @Override
  public synchronized long read(int bar, long offset, int width) {
    if (bar == SpecimenModel.PORTS) {
      return ports.get((int) offset, width) & mask(width);
    }
    if (offset >= SpecimenModel.REGISTERS_END) {
      return 0;
    }
    int at = (int) offset;
    long low = registers.get(at, Math.min(width, 4)) & mask(Math.min(width, 4));
    return width == 8 ? low | (long) registers.get(at + 4, 4) << 32 : low;
  }

  @Override
  public synchronized void write(int bar, long offset, int width, long value) {
    if (bar == SpecimenModel.PORTS) {
      ports.put((int) offset, width, (int) value);
    } else if (offset < SpecimenModel.REGISTERS_END) {
      put((int) offset, Math.min(width, 4), (int) value);
      if (width == 8) {
        put((int) offset + 4, 4, (int) (value >>> 32));
      }
    }
  }

  @Override
  public synchronized void reset() {
    generation++;
    clear(registers);
    clear(ports);
    // A reset leaves nothing of who had the function before (PCI Express 5.0, 6.6.2).
    memory = context.sharedMemory(SpecimenModel.MEMORY, 0);
    List.of(
            memory,
            context.sharedMemory(SpecimenModel.SMALL, 0),
            context.sharedMemory(SpecimenModel.REGISTERS, SpecimenModel.DIRECT),
            context.sharedMemory(SpecimenModel.REGISTERS, SpecimenModel.DIRECT_AFTER_TABLE))
        .forEach(m -> m.fill((byte) 0));
    context.setInterruptLine(false);
  }

  @Override
  public void close() {
    reset();
  }

  private void put(int offset, int width, int value) {
    switch (offset) {
      case SpecimenModel.DMA_STATUS -> {}
      case SpecimenModel.DMA_COMMAND -> {
        registers.put(offset, width, value);
        generation++;
        transfer();
      }
      case SpecimenModel.INTERRUPT -> interrupt(value);
      case SpecimenModel.INTERRUPT_RELEASE -> context.setInterruptLine(false);
      default -> registers.put(offset, width, value);
    }
  }

  private void interrupt(int vector) {
    if (context.hasMessageInterrupts()) {
      context.signal(vector);
    } else {
      context.setInterruptLine(true);
    }
  }

  private void transfer() {
    int command = registers.get(SpecimenModel.DMA_COMMAND, 4);
    long address =
        (registers.get(SpecimenModel.DMA_ADDRESS, 4) & 0xffff_ffffL)
            | (long) registers.get(SpecimenModel.DMA_ADDRESS + 4, 4) << 32;
    long length = registers.get(SpecimenModel.DMA_LENGTH, 4) & 0xffff_ffffL;
    boolean read = (command & SpecimenModel.DMA_READ) != 0;
    if (!read && (command & SpecimenModel.DMA_WRITE) == 0) {
      return;
    }
    boolean done =
        length <= SpecimenModel.MEMORY_SIZE
            && (read
                ? dma.read(address, memory, 0, length)
                : dma.write(address, memory, 0, length));
    int counter = SpecimenModel.DMA_STATUS + (done ? 0 : 2);
    registers.put(counter, 2, registers.get(counter, 2) + 1);
    if ((command & SpecimenModel.DMA_REPEAT) != 0) {
      int scheduledIn = generation;
      context.schedule(REPEAT_NANOS, () -> repeat(scheduledIn));
    }
  }

  private synchronized void repeat(int scheduledIn) {
    if (generation == scheduledIn) {
      transfer();
    }
  }

  private static void clear(RegisterBytes bytes) {
    for (int offset = 0; offset < bytes.size(); offset++) {
      bytes.put(offset, 1, 0);
    }
  }

  private static long mask(int width) {
    return (1L << (8 * width)) - 1;
  }
}
