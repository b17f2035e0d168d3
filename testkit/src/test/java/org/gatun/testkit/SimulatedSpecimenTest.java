package org.gatun.testkit;

import org.gatun.pci.PciDevice;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.SpecimenModel;
import org.junit.jupiter.api.AfterEach;

class SimulatedSpecimenTest extends PciDeviceContract {
  private final SimulatedBus bus = SimulatedBus.virtualTime();

  SimulatedSpecimenTest() {
    bus.plug("specimen", new SpecimenModel());
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
