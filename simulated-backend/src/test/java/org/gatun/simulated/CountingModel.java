package org.gatun.simulated;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.TimeSource;
import org.jspecify.annotations.NullMarked;

/**
 * A model, with a count of what its bus has scheduled for it.
 *
 * @param scheduled what has not run yet
 */
@NullMarked
record CountingModel(DeviceModel model, AtomicInteger scheduled) implements DeviceModel {
  CountingModel(DeviceModel model) {
    this(model, new AtomicInteger());
  }

  @Override
  public FunctionDescription description() {
    return model.description();
  }

  @Override
  public RunningModel start(ModelContext context) {
    return model.start(new Counting(context));
  }

  private final class Counting implements ModelContext {
    private final ModelContext inner;

    Counting(ModelContext inner) {
      this.inner = inner;
    }

    @Override
    public void schedule(long delayNanos, Runnable action) {
      scheduled.incrementAndGet();
      inner.schedule(
          delayNanos,
          () -> {
            scheduled.decrementAndGet();
            action.run();
          });
    }

    @Override
    public DeviceName name() {
      return inner.name();
    }

    @Override
    public DmaPort newDmaPort() {
      return inner.newDmaPort();
    }

    @Override
    public void refuseDma(long busAddress, long size, DmaDirection direction) {
      inner.refuseDma(busAddress, size, direction);
    }

    @Override
    public Link link() {
      return inner.link();
    }

    @Override
    public boolean hasMessageInterrupts() {
      return inner.hasMessageInterrupts();
    }

    @Override
    public void signal(int vector) {
      inner.signal(vector);
    }

    @Override
    public void setInterruptLine(boolean on) {
      inner.setInterruptLine(on);
    }

    @Override
    public void targetAbort(boolean write) {
      inner.targetAbort(write);
    }

    @Override
    public void signalEvents() {
      inner.signalEvents();
    }

    @Override
    public TimeSource time() {
      return inner.time();
    }

    @Override
    public MemorySegment sharedMemory(int bar, long offset) {
      return inner.sharedMemory(bar, offset);
    }
  }
}
