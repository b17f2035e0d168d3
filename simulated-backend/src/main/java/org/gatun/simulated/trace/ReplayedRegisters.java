package org.gatun.simulated.trace;

import org.gatun.pci.RegisterHandler;
import org.gatun.simulated.trace.Access.Kind;

/**
 * Registers of a replayed device.
 *
 * @param start of the registers in their BAR
 */
record ReplayedRegisters(ReplayedDevice device, int bar, long start) implements RegisterHandler {
  @Override
  public long read(long offset, int width) {
    return device.read(new Access(Kind.READ, bar, start + offset, width, 0));
  }

  @Override
  public void write(long offset, int width, long value) {
    device.act(new Access(Kind.WRITE, bar, start + offset, width, value));
  }
}
