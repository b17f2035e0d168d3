package org.gatun.pci.spi;

import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Collectors;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciDevice;

/** The backends that are installed. */
public final class Backends {
  private Backends() {}

  /** All of them, one for each scheme. */
  public static List<PciBackend> installed() {
    return ServiceLoader.load(PciBackend.class).stream().map(ServiceLoader.Provider::get).toList();
  }

  /**
   * Opens a device with the backend of its scheme.
   *
   * @throws DeviceUnavailableException if there is no such backend, or as {@link PciBackend#open}
   * @throws IllegalArgumentException as {@link PciBackend#open}
   */
  public static PciDevice open(DeviceName name) {
    return of(name).open(name);
  }

  /**
   * The backend of a device's scheme.
   *
   * @throws DeviceUnavailableException if there is none
   */
  public static PciBackend of(DeviceName name) {
    List<PciBackend> backends = installed();
    return backends.stream()
        .filter(backend -> backend.scheme().equals(name.scheme()))
        .findFirst()
        .orElseThrow(
            () ->
                new DeviceUnavailableException(
                    name,
                    "there is no backend for '" + name.scheme() + "'",
                    "installed are: "
                        + backends.stream()
                            .map(PciBackend::scheme)
                            .sorted()
                            .collect(Collectors.joining(", ")),
                    null));
  }
}
