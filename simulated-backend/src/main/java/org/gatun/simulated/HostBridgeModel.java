package org.gatun.simulated;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.simulated.FunctionDescription.InterruptDescription;

/**
 * The host bridge, as a host shows its own end of the root bus: a function with a header and no
 * more, at 00:00.0 if it is the first that is plugged in. What is on the bus does not depend on it.
 */
public record HostBridgeModel() implements DeviceModel {
  /** As QEMU's {@code gpex-root}. */
  private static final PciId ID = new PciId(0x1b36, 0x0008, 0x1af4, 0x1100);

  private static final PciClass HOST_BRIDGE = new PciClass(0x060000);

  @Override
  public FunctionDescription description() {
    return new FunctionDescription(
        ID,
        HOST_BRIDGE,
        0,
        List.of(),
        0,
        new InterruptDescription(0, 0, Optional.empty()),
        List.of(),
        Set.of());
  }

  @Override
  public RunningModel start(ModelContext context) {
    return new WithoutRegisters();
  }
}
