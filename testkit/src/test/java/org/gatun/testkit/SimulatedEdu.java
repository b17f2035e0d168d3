package org.gatun.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import org.gatun.pci.DmaDirection;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.IommuFault;
import org.gatun.simulated.SimulatedBus;
import org.junit.jupiter.api.AfterEach;

/** The suite of edu on a bus of some time. */
abstract class SimulatedEdu extends EduDeviceContract {
  private final SimulatedBus bus;

  SimulatedEdu(SimulatedBus bus) {
    this.bus = bus;
    bus.plug("edu");
  }

  @AfterEach
  final void closeBus() {
    bus.close();
  }

  @Override
  protected PciDevice open() {
    return bus.open(bus.scan().getFirst().name());
  }

  @Override
  protected TimeSource time() {
    return bus.time();
  }

  @Override
  protected void refused(long busAddress, DmaDirection direction) {
    IommuFault newest = bus.iommu().faults().getLast();
    assertThat(newest.device()).isEqualTo(device().name());
    assertThat(newest.busAddress()).isEqualTo(busAddress);
    assertThat(newest.direction()).isEqualTo(direction);
  }
}
