package org.gatun.simulated;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.simulated.FunctionDescription.InterruptDescription;

/** Describes ports of PCI Express. */
final class BridgePort {
  private static final PciClass CLASS = new PciClass(0x060400);
  private static final long ROM_SIZE = 0x800;

  private BridgePort() {}

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
}
