package org.gatun.testkit;

import java.util.Optional;
import org.gatun.pci.Bar;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.RegisterHandler;

/**
 * A driver with a bug, made of one without: what it writes to one register goes to the next one.
 * For drivers whose registers have 32 bits.
 */
public final class WrongRegister {
  private WrongRegister() {}

  /**
   * The device, as such a driver drives it.
   *
   * @param bar of the register
   * @param register its offset in the BAR; the mapping that has it has the next one, too
   */
  public static PciDevice of(PciDevice device, int bar, long register) {
    return InStep.proxy(
        PciDevice.class,
        device,
        "bar",
        (index, found) ->
            index[0].equals(bar)
                ? ((Optional<?>) found).map(b -> mapped((Bar) b, register))
                : found);
  }

  private static Bar mapped(Bar bar, long register) {
    return InStep.proxy(
        Bar.class,
        bar,
        "map",
        (range, registers) -> wrong((Mmio) registers, register - (long) range[0]));
  }

  private static Mmio wrong(Mmio registers, long offsetOfWrong) {
    RegisterHandler handler =
        new RegisterHandler() {
          @Override
          public long read(long offset, int width) {
            return registers.read32(offset);
          }

          @Override
          public void write(long offset, int width, long value) {
            registers.write32(offset == offsetOfWrong ? offset + width : offset, (int) value);
          }
        };
    return Mmio.trapped(registers.name(), registers.size(), handler, registers::close);
  }
}
