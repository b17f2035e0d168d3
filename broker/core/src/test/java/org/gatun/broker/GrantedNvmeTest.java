package org.gatun.broker;

import java.util.List;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;
import org.gatun.testkit.PciDeviceContract;
import org.junit.jupiter.api.AfterEach;

/** A granted device with direct and trapped ranges and MSI-X is a device: the contract holds. */
class GrantedNvmeTest extends PciDeviceContract {
  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final Broker broker = new Broker(List.of(bus));
  private final DeviceName nvme = bus.plug("nvme,size=1M");

  GrantedNvmeTest() {
    broker.seize(nvme);
  }

  @AfterEach
  void closeAll() {
    broker.close();
    bus.close();
  }

  @Override
  protected PciDevice open() {
    return broker
        .grant("guest", Quota.DEFAULT, List.of(DeviceRequest.of(nvme)))
        .connect()
        .getFirst();
  }
}
