package org.gatun.simulated;

import org.gatun.pci.config.PciId;

/**
 * A PCI Express root port: a bridge with a type 1 header and no registers of its own. Devices are
 * plugged in {@linkplain SimulatedBus#plugBehind behind it}.
 *
 * @param accessControl whether it has Access Control Services: without, it and all that is behind
 *     it are one IOMMU group
 */
public record RootPortModel(boolean accessControl) implements DeviceModel {
  /** As QEMU's {@code pcie-root-port}. */
  private static final PciId ID = new PciId(0x1b36, 0x000c, 0, 0);

  /** One with Access Control Services. */
  public RootPortModel() {
    this(true);
  }

  @Override
  public FunctionDescription description() {
    return BridgePort.describe(ID, PortKind.ROOT, accessControl);
  }

  @Override
  public RunningModel start(ModelContext context) {
    return new WithoutRegisters();
  }
}
