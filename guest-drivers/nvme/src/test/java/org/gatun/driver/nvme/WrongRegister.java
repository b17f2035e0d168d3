package org.gatun.driver.nvme;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Optional;
import org.gatun.pci.Bar;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.RegisterHandler;

/**
 * Makes a driver write a wrong register: what it writes, with 32 bits, to one offset of a mapping
 * that starts at the other goes to the next register.
 */
final class WrongRegister {
  private WrongRegister() {}

  static PciDevice of(PciDevice device, long mapping, long offset) {
    return with(
        PciDevice.class,
        device,
        "bar",
        (_, bar) ->
            ((Optional<?>) bar)
                .map(
                    b ->
                        with(
                            Bar.class,
                            (Bar) b,
                            "map",
                            (start, registers) ->
                                start.equals(mapping)
                                    ? wrong((Mmio) registers, offset)
                                    : registers)));
  }

  private static Mmio wrong(Mmio registers, long wrong) {
    return Mmio.trapped(
        registers.name(),
        registers.size(),
        new RegisterHandler() {
          @Override
          public long read(long offset, int width) {
            return registers.read32(offset);
          }

          @Override
          public void write(long offset, int width, long value) {
            registers.write32(offset == wrong ? offset + 4 : offset, (int) value);
          }
        },
        registers::close);
  }

  private interface Change {
    Object apply(Object firstArgument, Object result);
  }

  /** The same, apart from what one method returns. */
  private static <T> T with(Class<T> type, T target, String method, Change change) {
    InvocationHandler handler =
        (_, called, arguments) -> {
          try {
            Object result = called.invoke(target, arguments);
            return called.getName().equals(method) ? change.apply(arguments[0], result) : result;
          } catch (InvocationTargetException e) {
            throw e.getCause();
          }
        };
    return type.cast(
        Proxy.newProxyInstance(
            WrongRegister.class.getClassLoader(), new Class<?>[] {type}, handler));
  }
}
