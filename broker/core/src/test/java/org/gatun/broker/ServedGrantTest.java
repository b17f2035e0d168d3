package org.gatun.broker;

import java.util.List;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;
import org.gatun.testkit.PciDeviceContract;
import org.gatun.vfiouser.testkit.VfioUserRoute;
import org.junit.jupiter.api.AfterEach;

/** A granted device that is served over a socket is a device: the contract holds for it. */
class ServedGrantTest extends PciDeviceContract {
  private final SimulatedBus bus = SimulatedBus.realTime();
  private final Broker broker = new Broker(List.of(bus));
  private final DeviceName nvme = bus.plug("nvme,size=1M");

  ServedGrantTest() {
    broker.seize(nvme);
  }

  @AfterEach
  void closeAll() {
    broker.close();
    bus.close();
  }

  @Override
  protected PciDevice open() {
    return new VfioUserRoute()
        .through(
            broker
                .grant("guest", Quota.DEFAULT, List.of(DeviceRequest.of(nvme)))
                .connect()
                .getFirst());
  }
}
