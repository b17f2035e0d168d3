package org.gatun.simulated;

import java.util.List;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.PciBackend;

/**
 * Devices that exist because their name says so: {@code simulated:edu}, {@code
 * simulated:nvme,size=1G}. Each open makes a bus in real time with that one device, which ends when
 * the device is closed.
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
    DeviceModel model = ModelText.parse(name);
    SimulatedBus bus = SimulatedBus.realTime();
    try {
      return bus.open(bus.plug(name.text(), model), bus::close);
    } catch (RuntimeException e) {
      bus.close();
      throw e;
    }
  }
}
