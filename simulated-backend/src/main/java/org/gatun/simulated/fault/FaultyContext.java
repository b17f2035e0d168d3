package org.gatun.simulated.fault;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.DmaPort;
import org.gatun.simulated.Link;
import org.gatun.simulated.ModelContext;
import org.jspecify.annotations.Nullable;

/** The way of a device to its bus, on which interrupts and DMA go wrong. */
final class FaultyContext implements ModelContext {
  private final ModelContext inner;
  private final Faults faults;
  private final FaultyPin pin;

  /** Resets: a message of before one does not arrive any more. */
  private final AtomicInteger generation = new AtomicInteger();

  FaultyContext(ModelContext inner, Faults faults) {
    this.inner = inner;
    this.faults = faults;
    this.pin = new FaultyPin(inner);
  }

  /** The device was reset, or is gone: what was on its way does not arrive. */
  void reset() {
    generation.incrementAndGet();
    pin.reset();
  }

  boolean isDown() {
    return inner.link().isDown();
  }

  /** Does what an effect does to the device as a whole, wherever it is. */
  void happens(Effect effect) {
    switch (effect) {
      case Effect.Interrupt(int vector) -> interrupt(vector);
      case Effect.LinkDown(var duration) -> {
        inner.link().down();
        inner.schedule(duration, inner.link()::up);
      }
      case Effect.Remove() -> inner.link().pullOut();
      default -> {}
    }
  }

  private void interrupt(int vector) {
    if (inner.hasMessageInterrupts()) {
      inner.signal(vector);
    } else {
      inner.setInterruptLine(true);
    }
  }

  @Override
  public void signal(int vector) {
    Effect effect = faults.at(Point.INTERRUPT, vector);
    if (effect == null) {
      inner.signal(vector);
      return;
    }
    happens(effect);
    switch (effect) {
      case Effect.Lose() -> {}
      case Effect.Delay(var by) -> {
        int sentIn = generation.get();
        inner.schedule(
            by,
            () -> {
              if (generation.get() == sentIn) {
                inner.signal(vector);
              }
            });
      }
      case Effect.Repeat(int times) -> {
        for (int i = 0; i <= times; i++) {
          inner.signal(vector);
        }
      }
      default -> inner.signal(vector);
    }
  }

  @Override
  public void setInterruptLine(boolean on) {
    // While there are messages, the pin is no interrupt.
    boolean interrupts = on && !inner.hasMessageInterrupts();
    Effect effect = interrupts ? faults.at(Point.INTERRUPT, 0) : null;
    if (effect == null) {
      pin.drive(on);
      return;
    }
    happens(effect);
    switch (effect) {
      case Effect.Lose() -> pin.lose();
      case Effect.Delay delay -> pin.delay(delay);
      // A level has no number: a storm of it is one that stays, which the driver's masking shows.
      default -> pin.drive(true);
    }
  }

  @Override
  public @Nullable Effect faultOf(long command) {
    Effect effect = faults.at(Point.COMMAND, command);
    if (effect == null) {
      return inner.faultOf(command);
    }
    happens(effect);
    return effect;
  }

  @Override
  public DmaPort newDmaPort() {
    return new FaultyPort(inner.newDmaPort(), this, faults);
  }

  @Override
  public void refuseDma(long busAddress, long size, DmaDirection direction) {
    inner.refuseDma(busAddress, size, direction);
  }

  @Override
  public void targetAbort(boolean write) {
    inner.targetAbort(write);
  }

  @Override
  public Link link() {
    return inner.link();
  }

  @Override
  public DeviceName name() {
    return inner.name();
  }

  @Override
  public boolean hasMessageInterrupts() {
    return inner.hasMessageInterrupts();
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
  public void schedule(long delayNanos, Runnable action) {
    inner.schedule(delayNanos, action);
  }

  @Override
  public MemorySegment sharedMemory(int bar, long offset) {
    return inner.sharedMemory(bar, offset);
  }
}
