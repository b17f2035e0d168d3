package org.gatun.simulated;

/** A function with no registers of its own, as of a bridge: what it does is for the bus. */
final class WithoutRegisters implements RunningModel {
  @Override
  public long read(int bar, long offset, int width) {
    return -1;
  }

  @Override
  public void write(int bar, long offset, int width, long value) {
    // It has no BAR.
  }

  @Override
  public void reset() {
    // It has no state.
  }

  @Override
  public void close() {
    // It holds nothing.
  }
}
