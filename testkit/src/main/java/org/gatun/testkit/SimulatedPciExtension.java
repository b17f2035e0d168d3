package org.gatun.testkit;

import java.util.Optional;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.trace.Trace;
import org.gatun.testkit.SimulatedPci.Time;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolutionException;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.platform.commons.support.AnnotationSupport;

/** Resolves the parameters of {@link SimulatedPci}. The bus is in the store, which closes it. */
final class SimulatedPciExtension implements ParameterResolver, AfterEachCallback {
  private static final Namespace NAMESPACE = Namespace.create(SimulatedPciExtension.class);

  SimulatedPciExtension() {}

  /** A constructor's parameters belong to the test that the instance is for. */
  @Override
  public ExtensionContextScope getTestInstantiationExtensionContextScope(
      ExtensionContext rootContext) {
    return ExtensionContextScope.TEST_METHOD;
  }

  @Override
  public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
    Class<?> type = parameter.getParameter().getType();
    return type == PciDevice.class || type == SimulatedBus.class || type == TimeSource.class;
  }

  @Override
  public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
    Class<?> type = parameter.getParameter().getType();
    BusOfTest bus = bus(context);
    if (type == SimulatedBus.class) {
      return bus.bus();
    }
    if (type == TimeSource.class) {
      return bus.bus().time();
    }
    Device device =
        parameter
            .findAnnotation(Device.class)
            .orElseThrow(
                () ->
                    new ParameterResolutionException(
                        parameter.getParameter()
                            + ": say which device this is, for instance @Device(\"edu\")"));
    return bus.device(device.value());
  }

  /** A test has failed; the bus may be that of its class. */
  @Override
  public void afterEach(ExtensionContext context) {
    BusOfTest bus = context.getStore(NAMESPACE).get(BusOfTest.class, BusOfTest.class);
    if (bus != null && context.getExecutionException().isPresent()) {
      bus.tellLastAccesses(context);
    }
  }

  private static BusOfTest bus(ExtensionContext context) {
    return context
        .getStore(NAMESPACE)
        .getOrComputeIfAbsent(BusOfTest.class, _ -> newBus(context), BusOfTest.class);
  }

  private static BusOfTest newBus(ExtensionContext context) {
    Optional<SimulatedPci> wanted =
        AnnotationSupport.findAnnotation(
            context.getRequiredTestClass(), SimulatedPci.class, context.getEnclosingTestClasses());
    SimulatedBus bus =
        switch (wanted.map(SimulatedPci::time).orElse(Time.VIRTUAL)) {
          case VIRTUAL -> DeviceRoute.newBus();
          case REAL -> SimulatedBus.realTime();
        };
    int traced = wanted.map(SimulatedPci::trace).orElse(0);
    return new BusOfTest(bus, traced == 0 ? null : new Trace(traced, bus.time()), context);
  }
}
