package org.gatun.broker;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Optional;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.PciBackend;
import org.gatun.pci.spi.SeizedDevice;

/**
 * A backend that fails once, at the n-th call that the broker makes to it or to what it gave out;
 * or that can't prove that nobody has a device any more.
 */
final class FailingBackend implements PciBackend {
  private final PciBackend inner;
  private int callsUntilFailure = Integer.MAX_VALUE;
  private boolean failed;
  private Optional<String> unproven = Optional.empty();

  FailingBackend(PciBackend inner) {
    this.inner = inner;
  }

  /** The call after so many others fails. */
  void failAfter(int calls) {
    callsUntilFailure = calls;
  }

  /** Whether the failure has happened. */
  boolean hasFailed() {
    return failed;
  }

  /** From now on nothing is proven, for that reason. */
  void cannotProve(String reason) {
    unproven = Optional.of(reason);
  }

  @Override
  public String scheme() {
    return inner.scheme();
  }

  @Override
  public List<FoundDevice> scan() {
    return inner.scan();
  }

  @Override
  public Optional<FoundDevice> find(DeviceName name) {
    return inner.find(name);
  }

  @Override
  public PciDevice open(DeviceName name) {
    return inner.open(name);
  }

  @Override
  public SeizedDevice seize(DeviceName name) {
    step("seize");
    return wrap(SeizedDevice.class, inner.seize(name));
  }

  private void step(String what) {
    if (callsUntilFailure-- == 0) {
      failed = true;
      throw new PciException(null, what + " fails, since the test says so", null, null);
    }
  }

  private <T> T wrap(Class<T> type, Object target) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(),
            new Class<?>[] {type},
            (_, method, arguments) -> {
              if (mayFail(method)) {
                step(method.getName());
              }
              Object result = call(target, method, arguments);
              if (method.getName().equals("release") && unproven.isPresent()) {
                return unproven;
              }
              return switch (result) {
                case null -> null;
                case ConfigSpace config -> wrap(ConfigSpace.class, config);
                case DmaSpace dma -> wrap(DmaSpace.class, dma);
                case Interrupts interrupts -> wrap(Interrupts.class, interrupts);
                case Bar bar -> wrap(Bar.class, bar);
                default -> result;
              };
            }));
  }

  /** What gives things back, and what only names them, does not fail in these tests. */
  private static boolean mayFail(Method method) {
    return switch (method.getName()) {
      case "close", "release", "name", "usage", "toString", "hashCode", "equals" -> false;
      default -> true;
    };
  }

  private static Object call(Object target, Method method, Object[] arguments) throws Throwable {
    try {
      method.setAccessible(true);
      return method.invoke(target, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }
}
