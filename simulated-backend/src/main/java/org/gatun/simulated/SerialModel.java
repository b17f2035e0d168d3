package org.gatun.simulated;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.InterruptDescription;
import org.gatun.simulated.FunctionDescription.Trait;
import org.gatun.specs.serial.UartRegisters;

/**
 * A serial port: a 16550 behind an I/O BAR, with an interrupt pin, as QEMU's {@code pci-serial} is
 * one. Characters take the time that the divisor and the format say.
 *
 * @param line that it is connected to: by one device at a time
 */
public record SerialModel(SerialEnd line) implements DeviceModel {
  private static final int QEMU_SUBSYSTEM_VENDOR = 0x1af4;
  private static final int QEMU_SUBSYSTEM = 0x1100;
  private static final int REVISION = 1;

  private static final FunctionDescription DESCRIPTION =
      new FunctionDescription(
              new PciId(
                  UartRegisters.VENDOR_ID,
                  UartRegisters.DEVICE_ID,
                  QEMU_SUBSYSTEM_VENDOR,
                  QEMU_SUBSYSTEM),
              new PciClass(UartRegisters.PCI_CLASS),
              REVISION,
              false,
              List.of(BarDescription.ports(UartRegisters.BAR, UartRegisters.BAR_SIZE)),
              new InterruptDescription(1, 0, Optional.empty()))
          .withTraits(Set.of(Trait.SLOT_RESET));

  @Override
  public FunctionDescription description() {
    return DESCRIPTION;
  }

  /**
   * @throws IllegalStateException if the line has a device already
   */
  @Override
  public RunningModel start(ModelContext context) {
    return new RegisterModel(DESCRIPTION, List.of(Uart.REGISTERS), uart -> new Uart(uart, line))
        .start(context);
  }
}
