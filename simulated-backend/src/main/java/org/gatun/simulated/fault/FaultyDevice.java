package org.gatun.simulated.fault;

import org.gatun.simulated.RunningModel;

/** A device whose registers and resets go wrong. */
final class FaultyDevice implements RunningModel {
  private final RunningModel inner;
  private final FaultyContext context;
  private final Faults faults;

  FaultyDevice(RunningModel inner, FaultyContext context, Faults faults) {
    this.inner = inner;
    this.context = context;
    this.faults = faults;
  }

  @Override
  public long read(int bar, long offset, int width) {
    Effect effect = faults.at(Point.REGISTER_READ, Fault.register(bar, offset));
    if (effect == null) {
      return context.isDown() ? -1 : inner.read(bar, offset, width);
    }
    context.happens(effect);
    if (effect instanceof Effect.Lose || context.isDown()) {
      return -1;
    }
    long value = inner.read(bar, offset, width);
    return switch (effect) {
      case Effect.Flip(long bits) -> value ^ bits;
      case Effect.Force(long mask, long forced) -> (value & ~mask) | (forced & mask);
      default -> value;
    };
  }

  @Override
  public void write(int bar, long offset, int width, long value) {
    Effect effect = faults.at(Point.REGISTER_WRITE, Fault.register(bar, offset));
    if (effect != null) {
      context.happens(effect);
    }
    if (effect instanceof Effect.Lose || context.isDown()) {
      return;
    }
    inner.write(
        bar, offset, width, effect instanceof Effect.Flip(long bits) ? value ^ bits : value);
  }

  @Override
  public void reset() {
    Effect effect = faults.at(Point.RESET, 0);
    if (effect != null) {
      context.happens(effect);
    }
    if (!(effect instanceof Effect.Lose)) {
      context.reset();
      inner.reset();
    }
  }

  @Override
  public void close() {
    context.reset();
    inner.close();
  }
}
