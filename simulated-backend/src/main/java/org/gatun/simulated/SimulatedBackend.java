package org.gatun.simulated;

import java.util.List;
import java.util.UUID;
import java.util.function.Function;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.PciBackend;
import org.gatun.pci.spi.SeizedDevice;

/**
 * Devices that exist because their name says so: {@code simulated:edu}, {@code
 * simulated:nvme,size=1G}, {@code simulated:specimen}. Each open makes a bus in real time with that
 * one device, which ends when the device is closed.
 */
public final class SimulatedBackend implements PciBackend {
  /** For {@link java.util.ServiceLoader}. */
  public SimulatedBackend() {}

  @Override
  public String scheme() {
    return SimulatedBus.SCHEME;
  }

  @Override
  public List<FoundDevice> scan() {
    return List.of();
  }

  @Override
  public PciDevice open(DeviceName name) {
    return onItsOwnBus(name, bus -> bus.open(name, bus::close));
  }

  @Override
  public SeizedDevice seize(DeviceName name) {
    return onItsOwnBus(name, bus -> bus.seize(name, bus::close));
  }

  private static <T> T onItsOwnBus(DeviceName name, Function<SimulatedBus, T> opener) {
    // Other processes serve others to the same host, and nobody knows of all of them.
    DeviceModel model =
        ModelText.parse(name, () -> "GATUN-%08x".formatted(UUID.randomUUID().hashCode()));
    SimulatedBus bus = SimulatedBus.realTime();
    try {
      bus.plug(name.text(), model);
      return opener.apply(bus);
    } catch (RuntimeException e) {
      bus.close();
      throw e;
    }
  }
}
