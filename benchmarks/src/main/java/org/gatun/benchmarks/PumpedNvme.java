package org.gatun.benchmarks;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import org.gatun.simulated.DeviceModel;
import org.gatun.simulated.FunctionDescription;
import org.gatun.simulated.ModelContext;
import org.gatun.simulated.NvmeModel;
import org.gatun.simulated.RunningModel;
import org.gatun.specs.nvme.NvmeRegisters;
import org.jspecify.annotations.Nullable;

/**
 * The simulated NVMe controller with doorbells in mapped memory, as a real one's are, which looks
 * at them when it is told to: on the driver's own thread, since with a thread for each the figures
 * are the scheduler's. It has the admin queue and one I/O queue. For one device at a time.
 */
final class PumpedNvme implements DeviceModel {
  private static final VarHandle U32 =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

  /** Of the admin queue and one more. */
  private static final int DOORBELLS = 4;

  private final NvmeModel mapped = NvmeModel.builder().sharedDoorbells(true).build();
  private final NvmeModel trapped = NvmeModel.builder().build();
  private final int[] seen = new int[DOORBELLS];
  private @Nullable RunningModel controller;
  private @Nullable MemorySegment doorbells;

  @Override
  public FunctionDescription description() {
    return mapped.description();
  }

  @Override
  public RunningModel start(ModelContext context) {
    RunningModel started = trapped.start(context);
    controller = started;
    doorbells = context.sharedMemory(NvmeRegisters.BAR, NvmeRegisters.DOORBELLS);
    return started;
  }

  /** Does what the doorbells ask for. */
  void pump() {
    RunningModel running = Objects.requireNonNull(controller);
    MemorySegment memory = Objects.requireNonNull(doorbells);
    for (int i = 0; i < DOORBELLS; i++) {
      long offset = 4L * i;
      int value = (int) U32.getAcquire(memory, offset);
      if (value != seen[i]) {
        seen[i] = value;
        running.write(NvmeRegisters.BAR, NvmeRegisters.DOORBELLS + offset, 4, value);
      }
    }
  }

  /** Does something that waits for the controller, which another thread pumps meanwhile. */
  <T> T served(Supplier<T> action) {
    AtomicBoolean done = new AtomicBoolean();
    Thread server =
        Thread.ofPlatform()
            .daemon()
            .start(
                () -> {
                  while (!done.get()) {
                    pump();
                    Thread.onSpinWait();
                  }
                });
    try {
      return action.get();
    } finally {
      done.set(true);
      join(server);
    }
  }

  private static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the controller was served", e);
    }
  }
}
