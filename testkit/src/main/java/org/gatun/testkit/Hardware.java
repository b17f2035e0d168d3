package org.gatun.testkit;

import java.util.Optional;
import java.util.ServiceLoader;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.spi.PciBackend;

/**
 * Devices that take the place of simulated ones: {@code -Dgatun.device.nvme=vfio:0000:01:00.0} for
 * all whose model is {@code nvme}.
 */
final class Hardware {
  /** Followed by the model. */
  static final String PROPERTY = "gatun.device.";

  private Hardware() {}

  /**
   * Whether there is one for a model.
   *
   * @param text the model, and its options, which are not the device's
   */
  static boolean isNamed(String text) {
    return name(text).isPresent();
  }

  /**
   * The device for a model, opened; empty if none is named.
   *
   * @param text as with {@link #isNamed}
   */
  static Optional<PciDevice> named(String text) {
    return name(text).map(DeviceName::parse).map(Hardware::open);
  }

  private static Optional<String> name(String text) {
    return Optional.ofNullable(System.getProperty(PROPERTY + text.split(",", 2)[0]));
  }

  private static PciDevice open(DeviceName name) {
    return ServiceLoader.load(PciBackend.class).stream()
        .map(ServiceLoader.Provider::get)
        .filter(backend -> backend.scheme().equals(name.scheme()))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "%s: no backend for '%s' is on the path of the test"
                        .formatted(name, name.scheme())))
        .open(name);
  }
}
