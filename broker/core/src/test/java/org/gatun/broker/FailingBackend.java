package org.gatun.broker;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Collectors;
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
import org.jspecify.annotations.Nullable;

/**
 * A backend that fails once, at the n-th call that the broker makes to it or to what it gave out;
 * or that can't prove that nobody has a device any more. It tells of the calls.
 */
final class FailingBackend implements PciBackend {
  /** What a call fails with. */
  enum Failure {
    /** As a backend should. */
    TYPED,
    /** As one with an error does. */
    UNTYPED,
    /** As the JDK reports memory that is gone. */
    MEMORY;

    void fail(String what) {
      String message = what + " fails, since the test says so";
      switch (this) {
        case TYPED -> throw new PciException(null, message, null, null);
        case UNTYPED -> throw new IllegalStateException(message);
        case MEMORY -> throw new InternalError(message);
      }
    }
  }

  private final PciBackend inner;
  private final Failure failure;
  private int callsUntilFailure = Integer.MAX_VALUE;
  private boolean failed;
  private Optional<String> unproven = Optional.empty();
  private Optional<Consumer<String>> listener = Optional.empty();

  FailingBackend(PciBackend inner, Failure failure) {
    this.inner = inner;
    this.failure = failure;
  }

  /** The call after so many others fails. */
  void failAfter(int calls) {
    callsUntilFailure = calls;
  }

  /** No call fails any more. */
  void recover() {
    callsUntilFailure = Integer.MAX_VALUE;
  }

  /** Whether the failure has happened. */
  boolean hasFailed() {
    return failed;
  }

  /** From now on nothing is proven, for that reason. */
  void cannotProve(String reason) {
    unproven = Optional.of(reason);
  }

  /** Hears of each call before it is made, as "decode(false)". */
  void listen(Consumer<String> calls) {
    listener = Optional.of(calls);
  }

  @Override
  public String scheme() {
    return inner.scheme();
  }

  @Override
  public List<FoundDevice> scan() {
    step("scan");
    return inner.scan();
  }

  @Override
  public Optional<FoundDevice> find(DeviceName name) {
    step("find");
    return inner.find(name);
  }

  @Override
  public PciDevice open(DeviceName name) {
    return inner.open(name);
  }

  @Override
  public SeizedDevice seize(DeviceName name) {
    listener.ifPresent(l -> l.accept("seize"));
    step("seize");
    return wrap(SeizedDevice.class, inner.seize(name));
  }

  private void step(String what) {
    if (callsUntilFailure-- == 0) {
      failed = true;
      failure.fail(what);
    }
  }

  private <T> T wrap(Class<T> type, Object target) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(),
            new Class<?>[] {type},
            (_, method, arguments) -> {
              listener.ifPresent(l -> l.accept(text(method, arguments)));
              if (!givesBack(method) && mayFail(method)) {
                step(method.getName());
              }
              Object result = call(target, method, arguments);
              if (givesBack(method)) {
                // A close that fails closes nevertheless: nobody can do more about it.
                step(method.getName());
              }
              if (method.getName().equals("release") && unproven.isPresent()) {
                return unproven;
              }
              return wrapped(result);
            }));
  }

  private @Nullable Object wrapped(@Nullable Object result) {
    return switch (result) {
      case null -> null;
      case Optional<?> optional -> optional.map(this::wrapped);
      case List<?> list -> list.stream().map(this::wrapped).toList();
      case ConfigSpace config -> wrap(ConfigSpace.class, config);
      case DmaSpace dma -> wrap(DmaSpace.class, dma);
      case Interrupts interrupts -> wrap(Interrupts.class, interrupts);
      case Bar bar -> wrap(Bar.class, bar);
      default -> result;
    };
  }

  private static boolean givesBack(Method method) {
    return method.getName().equals("close") || method.getName().equals("release");
  }

  /** What only names or counts things does not fail in these tests. */
  private static boolean mayFail(Method method) {
    return switch (method.getName()) {
      case "name", "usage", "toString", "hashCode", "equals" -> false;
      default -> true;
    };
  }

  private static String text(Method method, Object[] arguments) {
    return method.getName()
        + (arguments == null ? List.<Object>of() : Arrays.asList(arguments))
            .stream().map(String::valueOf).collect(Collectors.joining(", ", "(", ")"));
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
