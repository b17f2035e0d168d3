package org.gatun.simulated;

import org.gatun.pci.config.PciId;

/**
 * A port of a PCI Express switch, which is one upstream port with downstream ports behind it:
 *
 * <pre>{@code
 * DeviceName root = bus.plug("root", new RootPortModel());
 * DeviceName top = bus.plugBehind(root, "switch", SwitchPortModel.upstream());
 * DeviceName left = bus.plugBehind(top, "left", SwitchPortModel.downstream());
 * DeviceName disk = bus.plugBehind(left, "disk", NvmeModel.builder().build());
 * }</pre>
 *
 * @param kind {@link PortKind#UPSTREAM} or {@link PortKind#DOWNSTREAM}
 * @param accessControl whether it has Access Control Services: downstream ports without are one
 *     IOMMU group with all that is behind them; an upstream port needs none
 */
public record SwitchPortModel(PortKind kind, boolean accessControl) implements DeviceModel {
  /** As QEMU's {@code x3130-upstream} and {@code xio3130-downstream}. */
  private static final PciId UPSTREAM = new PciId(0x104c, 0x8232, 0, 0);

  private static final PciId DOWNSTREAM = new PciId(0x104c, 0x8233, 0, 0);

  /**
   * @throws IllegalArgumentException if it is the kind of a root port
   */
  public SwitchPortModel {
    if (kind == PortKind.ROOT) {
      throw new IllegalArgumentException("kind: a root port is no part of a switch");
    }
  }

  /** The port towards the root complex. */
  public static SwitchPortModel upstream() {
    return new SwitchPortModel(PortKind.UPSTREAM, false);
  }

  /** A port towards a device, with Access Control Services. */
  public static SwitchPortModel downstream() {
    return new SwitchPortModel(PortKind.DOWNSTREAM, true);
  }

  @Override
  public FunctionDescription description() {
    return BridgePort.describe(
        kind == PortKind.UPSTREAM ? UPSTREAM : DOWNSTREAM, kind, accessControl);
  }

  @Override
  public RunningModel start(ModelContext context) {
    return new WithoutRegisters();
  }
}
