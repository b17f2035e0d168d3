package org.gatun.broker;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.IommuFault;
import org.gatun.simulated.SimulatedBus;
import org.gatun.testkit.EduDeviceContract;
import org.junit.jupiter.api.AfterEach;

/** A granted device is a device: the contract holds for it. */
class GrantedEduTest extends EduDeviceContract {
  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final Broker broker = new Broker(List.of(bus));
  private final DeviceName edu = bus.plug("edu");

  GrantedEduTest() {
    broker.seize(edu);
  }

  @AfterEach
  void closeAll() {
    broker.close();
    bus.close();
  }

  @Override
  protected PciDevice open() {
    return broker
        .grant("guest", Quota.DEFAULT, List.of(DeviceRequest.of(edu)))
        .connect()
        .getFirst();
  }

  @Override
  protected TimeSource time() {
    return bus.time();
  }

  @Override
  protected void refused(long busAddress, DmaDirection direction) {
    IommuFault newest = bus.iommu().faults().getLast();
    assertThat(newest.busAddress()).isEqualTo(busAddress);
    assertThat(newest.direction()).isEqualTo(direction);
  }
}
