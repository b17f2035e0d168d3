package org.gatun.testkit;

import java.util.Optional;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.fault.Faults;
import org.gatun.testkit.SimulatedPci.Time;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolutionException;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.platform.commons.support.AnnotationSupport;

/** Resolves the parameters of {@link SimulatedPci}. The bus is in the store, which closes it. */
final class SimulatedPciExtension
    implements ExecutionCondition, ParameterResolver, AfterEachCallback {
  private static final Namespace NAMESPACE = Namespace.create(SimulatedPciExtension.class);

  SimulatedPciExtension() {}

  /** A constructor's parameters belong to the test that the instance is for. */
  @Override
  public ExtensionContextScope getTestInstantiationExtensionContextScope(
      ExtensionContext rootContext) {
    return ExtensionContextScope.TEST_METHOD;
  }

  /** Hardware is on no simulated bus, and has no fault switch. */
  @Override
  public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
    return Asked.by(context).needsSimulated()
        ? ConditionEvaluationResult.disabled(
            "it needs the simulated bus, or faults, and its device is named by -D"
                + Hardware.PROPERTY
                + "...")
        : ConditionEvaluationResult.enabled("it needs no simulated bus, or its devices are on it");
  }

  @Override
  public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
    Class<?> type = parameter.getParameter().getType();
    return type == PciDevice.class
        || type == Faults.class
        || type == SimulatedBus.class
        || type == TimeSource.class;
  }

  @Override
  public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
    Class<?> type = parameter.getParameter().getType();
    BusOfTest bus = bus(context);
    if (type == SimulatedBus.class) {
      return bus.bus();
    }
    if (type == TimeSource.class) {
      return bus.time();
    }
    Device device =
        parameter
            .findAnnotation(Device.class)
            .orElseThrow(
                () ->
                    new ParameterResolutionException(
                        parameter.getParameter()
                            + ": say which device this is, for instance @Device(\"edu\")"));
    return type == Faults.class ? bus.faults(device.value()) : bus.device(device.value());
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
    int traced = wanted.map(SimulatedPci::trace).orElse(0);
    if (Asked.byThoseThatShare(context).isOnHardware()) {
      // Nobody would move virtual time: they wait for hardware.
      return new BusOfTest(SimulatedBus.realTime(), TimeSource.system(), traced, context);
    }
    SimulatedBus bus =
        switch (wanted.map(SimulatedPci::time).orElse(Time.VIRTUAL)) {
          case VIRTUAL -> DeviceRoute.newBus();
          case REAL -> SimulatedBus.realTime();
        };
    return new BusOfTest(bus, bus.time(), traced, context);
  }
}
