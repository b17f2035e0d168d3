package org.gatun.simulated;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.InterruptDescription;
import org.gatun.specs.edu.EduRegisters;

/**
 * QEMU's educational device (QEMU {@code docs/specs/edu.rst}): a conventional device with one BAR,
 * INTA and one MSI vector. A factorial and a DMA take 100 microseconds of the bus's time each.
 *
 * @param resettable whether it is in a slot that can be reset, as behind a root port of its own; it
 *     has no reset itself
 */
public record EduModel(boolean resettable) implements DeviceModel {
  private static final int QEMU_SUBSYSTEM_VENDOR = 0x1af4;
  private static final int QEMU_SUBSYSTEM = 0x1100;
  private static final int REVISION = 0x10;

  /** "Unassigned class", as QEMU has it. */
  private static final int CLASS = 0x00ff00;

  /** One that can be reset. */
  public EduModel() {
    this(true);
  }

  /** One that can't be reset, as on QEMU's root bus: it keeps what was done to it. */
  public static EduModel withoutReset() {
    return new EduModel(false);
  }

  @Override
  public FunctionDescription description() {
    FunctionDescription edu = describe();
    return resettable ? edu : edu.withTraits(Set.of());
  }

  private static FunctionDescription describe() {
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
