package org.gatun.simulated.trace;

/**
 * Writes what one device does into a {@link Trace}. An observation allocates nothing, and takes no
 * lock unless the clock of the trace does. Any thread.
 */
public final class Tracer implements Observer {
  private final Trace trace;
  private final int device;

  Tracer(Trace trace, int device) {
    this.trace = trace;
    this.device = device;
  }

  /** Writes down an access, as {@link Access} has it. */
  @Override
  public void saw(Access.Kind kind, int space, long address, long length, long value) {
    trace.record(device, kind, space, address, length, value);
  }
}
