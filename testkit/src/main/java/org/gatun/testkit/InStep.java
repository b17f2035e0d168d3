package org.gatun.testkit;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Optional;
import java.util.function.BiFunction;
import org.gatun.pci.Bar;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.RegisterHandler;

/**
 * A device whose writes are carried out when they return, as a simulated one's are when nothing is
 * between: after each write to a trapped register something is read, which waits for all writes
 * before it, as on the bus (PCI Local Bus Specification 3.0, 3.2.5).
 */
record InStep(PciDevice device, Mmio registers) implements RegisterHandler {
  static PciDevice of(PciDevice device) {
    return proxy(
        PciDevice.class,
        device,
        "bar",
        (_, found) -> ((Optional<?>) found).map(bar -> mappedInStep(device, (Bar) bar)));
  }

  @Override
  public long read(long offset, int width) {
    return switch (width) {
      case 1 -> registers.read8(offset);
      case 2 -> registers.read16(offset);
      case 4 -> registers.read32(offset);
      default -> registers.read64(offset);
    };
  }

  @Override
  public void write(long offset, int width, long value) {
    switch (width) {
      case 1 -> registers.write8(offset, (int) value);
      case 2 -> registers.write16(offset, (int) value);
      case 4 -> registers.write32(offset, (int) value);
      default -> registers.write64(offset, value);
    }
    device.config().read16(0);
  }

  private static Bar mappedInStep(PciDevice device, Bar bar) {
    return proxy(
        Bar.class,
        bar,
        "map",
        (_, mapped) -> {
          Mmio registers = (Mmio) mapped;
          return registers.isDirect()
              ? registers
              : Mmio.trapped(
                  registers.name(),
                  registers.size(),
                  new InStep(device, registers),
                  registers::close);
        });
  }

  /**
   * The same, apart from what one method returns.
   *
   * @param change gives that for the arguments, and for what the target returns
   */
  static <T> T proxy(
      Class<T> type, T target, String method, BiFunction<Object[], Object, Object> change) {
    InvocationHandler handler =
        (proxy, called, arguments) -> {
          if (called.getName().equals("bars")) {
            return InvocationHandler.invokeDefault(proxy, called, arguments); // asks for each
          }
          try {
            Object result = called.invoke(target, arguments);
            return called.getName().equals(method) ? change.apply(arguments, result) : result;
          } catch (InvocationTargetException e) {
            throw e.getCause();
          }
        };
    return type.cast(
        Proxy.newProxyInstance(InStep.class.getClassLoader(), new Class<?>[] {type}, handler));
  }
}
