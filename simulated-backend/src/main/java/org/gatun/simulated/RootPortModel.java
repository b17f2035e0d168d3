package org.gatun.simulated;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.simulated.FunctionDescription.InterruptDescription;

/**
 * A PCI Express root port: a bridge with a type 1 header and no registers of its own. Devices are
 * plugged in {@linkplain SimulatedBus#plugBehind behind it}. Its windows and its bridge control are
 * registers without an effect: nothing here is routed by address.
 *
 * @param accessControl whether it has Access Control Services: without, it and all that is behind
 *     it are one IOMMU group
 */
public record RootPortModel(boolean accessControl) implements DeviceModel {
  /** As QEMU's {@code pcie-root-port}. */
  private static final PciId ID = new PciId(0x1b36, 0x000c, 0, 0);

  private static final PciClass CLASS = new PciClass(0x060400);

  /** One with Access Control Services. */
  public RootPortModel() {
    this(true);
  }

  @Override
  public FunctionDescription description() {
    List<CapabilityDescription> capabilities =
        new ArrayList<>(
            List.of(
                StandardCapabilities.powerManagement(false),
                StandardCapabilities.expressRootPort(),
                StandardCapabilities.errorReporting()));
    if (accessControl) {
      capabilities.add(StandardCapabilities.accessControl());
    }
    return new FunctionDescription(
        ID,
        CLASS,
        0,
        List.of(),
        0x800,
        new InterruptDescription(1, 1, true, Optional.empty()),
        capabilities,
        Set.of());
  }

  @Override
  public RunningModel start(ModelContext context) {
    return new Port();
  }

  private static final class Port implements RunningModel {
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
}
