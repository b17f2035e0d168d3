package org.gatun.testkit;

import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;
import org.junit.jupiter.api.AfterEach;

class SimulatedNvmeTest extends PciDeviceContract {
  private final SimulatedBus bus = SimulatedBus.virtualTime();

  SimulatedNvmeTest() {
    bus.plug("nvme,size=1M");
  }

  @AfterEach
  void closeBus() {
    bus.close();
  }

  @Override
  protected PciDevice open() {
    return bus.open(bus.scan().getFirst().name());
  }
}
