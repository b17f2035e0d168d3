package org.gatun.simulated;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.simulated.FunctionDescription.InterruptDescription;

/** A port of PCI Express, with no registers of its own: what it does is for the bus. */
final class BridgePort implements RunningModel {
  private static final PciClass CLASS = new PciClass(0x060400);
  private static final long ROM_SIZE = 0x800;

  static FunctionDescription describe(PciId id, PortKind kind, boolean accessControl) {
    List<CapabilityDescription> capabilities =
        new ArrayList<>(
            List.of(
                StandardCapabilities.powerManagement(false),
                StandardCapabilities.expressPort(kind),
                StandardCapabilities.errorReporting()));
    if (accessControl) {
      capabilities.add(StandardCapabilities.accessControl());
    }
    return new FunctionDescription(
        id,
        CLASS,
        0,
        List.of(),
        ROM_SIZE,
        new InterruptDescription(1, 1, true, Optional.empty()),
        capabilities,
        Set.of());
  }

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
