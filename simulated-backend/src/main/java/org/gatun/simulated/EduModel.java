package org.gatun.simulated;

import java.util.List;
import java.util.Optional;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.InterruptDescription;
import org.gatun.specs.edu.EduRegisters;

/**
 * QEMU's educational device (QEMU {@code docs/specs/edu.rst}): a conventional device with one BAR,
 * INTA and one MSI vector. A factorial and a DMA take 100 microseconds of the bus's time each.
 */
public record EduModel() implements DeviceModel {
  private static final int QEMU_SUBSYSTEM_VENDOR = 0x1af4;
  private static final int QEMU_SUBSYSTEM = 0x1100;
  private static final int REVISION = 0x10;

  /** "Unassigned class", as QEMU has it. */
  private static final int CLASS = 0x00ff00;

  @Override
  public FunctionDescription description() {
    return new FunctionDescription(
        new PciId(
            EduRegisters.VENDOR_ID, EduRegisters.DEVICE_ID, QEMU_SUBSYSTEM_VENDOR, QEMU_SUBSYSTEM),
        new PciClass(CLASS),
        REVISION,
        false,
        List.of(BarDescription.trapped(EduRegisters.BAR, EduRegisters.BAR_SIZE, false)),
        new InterruptDescription(1, 1, Optional.empty()));
  }

  @Override
  public RunningModel start(ModelContext context) {
    return new EduDevice(context);
  }
}
