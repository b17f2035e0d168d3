package org.gatun.simulated;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.gatun.specs.edu.EduRegisters;

/** The edu device at work. Its monitor guards its registers. */
final class EduDevice implements RunningModel {
  private static final int IDENTIFICATION = EduRegisters.identification(1, 0);
  private static final long WORK_NANOS = 100_000;

  /** 34! has 32 factors of 2: from there on, factorials are 0 modulo 2^32. */
  private static final int ZERO_FROM = 34;

  private final ModelContext context;
  private final DmaPort dma;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment buffer = arena.allocate(EduRegisters.DMA_BUFFER_SIZE);

  private int liveness;
  private int factorial;
  private int status;
  private int interruptStatus;
  private long dmaSource;
  private long dmaDestination;
  private long dmaCount;
  private long dmaCommand;

  /** Work that was scheduled before a reset finds another number here, and is void. */
  private int generation;

  EduDevice(ModelContext context) {
    this.context = context;
    this.dma = context.newDmaPort();
  }

  @Override
  public synchronized long read(int bar, long offset, int width) {
    if (!isAllowed(offset, width)) {
      return -1;
    }
    if (offset == EduRegisters.IDENTIFICATION) {
      return IDENTIFICATION;
    } else if (offset == EduRegisters.LIVENESS) {
      return liveness;
    } else if (offset == EduRegisters.FACTORIAL) {
      return factorial;
    } else if (offset == EduRegisters.STATUS) {
      return status;
    } else if (offset == EduRegisters.INTERRUPT_STATUS) {
      return interruptStatus;
    } else if (offset == EduRegisters.DMA_SOURCE) {
      return dmaSource;
    } else if (offset == EduRegisters.DMA_DESTINATION) {
      return dmaDestination;
    } else if (offset == EduRegisters.DMA_COUNT) {
      return dmaCount;
    } else if (offset == EduRegisters.DMA_COMMAND) {
      return dmaCommand;
    }
    return -1;
  }

  @Override
  public synchronized void write(int bar, long offset, int width, long value) {
    if (!isAllowed(offset, width)) {
      return;
    }
    if (offset >= EduRegisters.DMA_SOURCE) {
      writeDma(offset, width == 4 ? value & 0xffff_ffffL : value);
    } else if (offset == EduRegisters.LIVENESS) {
      liveness = ~(int) value;
    } else if (offset == EduRegisters.FACTORIAL) {
      startFactorial((int) value);
    } else if (offset == EduRegisters.STATUS) {
      status =
          (status & ~EduRegisters.STATUS_RAISE_INTERRUPT)
              | ((int) value & EduRegisters.STATUS_RAISE_INTERRUPT);
    } else if (offset == EduRegisters.INTERRUPT_RAISE) {
      raise((int) value);
    } else if (offset == EduRegisters.INTERRUPT_ACKNOWLEDGE) {
      interruptStatus &= ~(int) value;
      if (interruptStatus == 0) {
        context.setInterruptLine(false);
      }
    }
  }

  @Override
  public synchronized void reset() {
    generation++;
    liveness = 0;
    factorial = 0;
    status = 0;
    interruptStatus = 0;
    dmaSource = 0;
    dmaDestination = 0;
    dmaCount = 0;
    dmaCommand = 0;
    buffer.fill((byte) 0);
    context.setInterruptLine(false);
  }

  @Override
  public synchronized void close() {
    reset();
    arena.close();
  }

  private static boolean isAllowed(long offset, int width) {
    return width == 4 || (width == 8 && offset >= EduRegisters.DMA_SOURCE);
  }

  private void writeDma(long offset, long value) {
    if ((dmaCommand & EduRegisters.DMA_RUN) != 0) {
      return;
    }
    if (offset == EduRegisters.DMA_SOURCE) {
      dmaSource = value;
    } else if (offset == EduRegisters.DMA_DESTINATION) {
      dmaDestination = value;
    } else if (offset == EduRegisters.DMA_COUNT) {
      dmaCount = value;
    } else if (offset == EduRegisters.DMA_COMMAND && (value & EduRegisters.DMA_RUN) != 0) {
      dmaCommand = value;
      later(this::transfer);
    }
  }

  private void startFactorial(int n) {
    if ((status & EduRegisters.STATUS_COMPUTING) == 0) {
      factorial = n;
      status |= EduRegisters.STATUS_COMPUTING;
      later(this::finishFactorial);
    }
  }

  private void finishFactorial() {
    int n = factorial;
    int result = Integer.compareUnsigned(n, ZERO_FROM) >= 0 ? 0 : 1;
    for (int i = 2; result != 0 && i <= n; i++) {
      result *= i;
    }
    factorial = result;
    status &= ~EduRegisters.STATUS_COMPUTING;
    if ((status & EduRegisters.STATUS_RAISE_INTERRUPT) != 0) {
      raise(EduRegisters.FACTORIAL_INTERRUPT);
    }
  }

  /** The device's side must be inside its buffer: else nothing is moved, and the command ends. */
  private void transfer() {
    boolean toMemory = (dmaCommand & EduRegisters.DMA_TO_MEMORY) != 0;
    long inside = (toMemory ? dmaSource : dmaDestination) - EduRegisters.DMA_BUFFER;
    if (inside >= 0
        && inside <= EduRegisters.DMA_BUFFER_SIZE
        && dmaCount >= 0
        && dmaCount <= EduRegisters.DMA_BUFFER_SIZE - inside) {
      if (toMemory) {
        dma.write(dmaDestination & EduRegisters.DMA_MASK, buffer, inside, dmaCount);
      } else {
        // What nobody lets it read is zeros to it, as behind Intel's IOMMU.
        buffer.asSlice(inside, dmaCount).fill((byte) 0);
        dma.read(dmaSource & EduRegisters.DMA_MASK, buffer, inside, dmaCount);
      }
    }
    dmaCommand &= ~EduRegisters.DMA_RUN;
    if ((dmaCommand & EduRegisters.DMA_INTERRUPT) != 0) {
      raise(EduRegisters.DMA_DONE_INTERRUPT);
    }
  }

  private void raise(int causes) {
    interruptStatus |= causes;
    if (interruptStatus == 0) {
      return;
    }
    if (context.hasMessageInterrupts()) {
      context.signal(0);
    } else {
      context.setInterruptLine(true);
    }
  }

  private void later(Runnable work) {
    int scheduledIn = generation;
    context.schedule(
        WORK_NANOS,
        () -> {
          synchronized (this) {
            if (generation == scheduledIn) {
              work.run();
            }
          }
        });
  }
}
