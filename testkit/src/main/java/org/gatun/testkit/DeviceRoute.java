package org.gatun.testkit;

import java.time.Duration;
import java.util.Optional;
import java.util.ServiceLoader;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;

/**
 * A way on which tests reach their devices, besides the straight one: the same tests then show that
 * a driver works on it. Found by {@link ServiceLoader}, chosen by {@code -Dgatun.test.route=NAME}.
 *
 * <p>On a route time is real: what waits on its way does not know of the time of a bus.
 */
public interface DeviceRoute {
  /** What the system property says. */
  String PROPERTY = "gatun.test.route";

  /** The tag of tests that count on the time of the bus. They are for the straight way only. */
  String VIRTUAL_TIME = "virtual-time";

  /** By which it is chosen. */
  String name();

  /**
   * The device at the end of the way.
   *
   * @param device is taken over: closing what is returned closes it, too
   */
  PciDevice through(PciDevice device);

  /** The route that was chosen; empty for none. */
  static Optional<DeviceRoute> chosen() {
    String name = System.getProperty(PROPERTY, "");
    return name.isEmpty()
        ? Optional.empty()
        : Optional.of(
            ServiceLoader.load(DeviceRoute.class).stream()
                .map(ServiceLoader.Provider::get)
                .filter(route -> route.name().equals(name))
                .findFirst()
                .orElseThrow(
                    () ->
                        new IllegalStateException("there is no route '" + name + "' to devices")));
  }

  /** The device at the end of the way that was chosen. */
  static PciDevice chosen(PciDevice device) {
    return chosen().map(route -> route.through(device)).orElse(device);
  }

  /**
   * As {@link #chosen(PciDevice)}, for tests that look at a device in step with its driver: that
   * count on a write being carried out when it returns.
   */
  static PciDevice chosenInStep(PciDevice device) {
    return chosen().isEmpty() ? device : InStep.of(chosen(device));
  }

  /** A bus in virtual time, if the way that was chosen allows that. */
  static SimulatedBus newBus() {
    return chosen().isEmpty() ? SimulatedBus.virtualTime() : SimulatedBus.realTime();
  }

  /** What a test that runs in virtual time may take where time is real, on a busy machine. */
  static Duration patience(Duration virtual) {
    return chosen().isEmpty() ? virtual : virtual.multipliedBy(15);
  }
}
