package org.gatun.pci.spi;

import java.util.List;
import java.util.Optional;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciDevice;

/**
 * A way to reach devices: found by {@link java.util.ServiceLoader}, used through {@link Backends}.
 * Any thread.
 */
public interface PciBackend {
  /** The scheme of the names that it opens, as in {@link DeviceName#scheme}. */
  String scheme();

  /**
   * The devices that are there, in a stable order, without touching any. Needs no privileges. Empty
   * for a backend that makes devices up from their names.
   */
  List<FoundDevice> scan();

  /**
   * The name that this backend has for a device, whether it is there or not: where several names
   * mean one device, the one that all of them share. Does not touch the device.
   *
   * @param name one with this backend's scheme
   * @throws IllegalArgumentException as {@link #open}
   */
  default DeviceName nameOf(DeviceName name) {
    return name;
  }

  /**
   * What {@link #scan} would say of one device, also if it does not list it. What is found has the
   * name of {@link #nameOf}.
   *
   * @return empty if there is no such device, or if this backend makes it up from its name
   * @throws IllegalArgumentException as {@link #open}
   */
  default Optional<FoundDevice> find(DeviceName name) {
    return scan().stream().filter(found -> found.name().equals(name)).findFirst();
  }

  /**
   * Opens a device: bus master off, interrupts off, reset if it can be reset.
   *
   * @param name one with this backend's scheme
   * @throws IllegalArgumentException if the text of the name makes no sense to this backend
   * @throws org.gatun.pci.DeviceUnavailableException if the device can't be opened: the message
   *     says why, and what to do
   * @throws org.gatun.pci.ShutdownException if the JVM is shutting down
   */
  PciDevice open(DeviceName name);

  /**
   * Opens a device for its owner, a broker: as {@link #open}, with decode off.
   *
   * @throws DeviceUnavailableException as {@link #open}, or if this backend's devices can't be
   *     taken back from somebody else
   * @throws IllegalArgumentException as {@link #open}
   */
  default SeizedDevice seize(DeviceName name) {
    throw new DeviceUnavailableException(
        name,
        "devices of '" + scheme() + "' can't be brokered: nothing takes them back from a guest",
        "open it without a broker",
        null);
  }
}
