package org.gatun.testkit;

import org.gatun.pci.PciDevice;
import org.gatun.simulated.EduModel;
import org.gatun.simulated.SimulatedBus;
import org.junit.jupiter.api.AfterEach;

/** A device without a reset keeps the contract too. */
class SimulatedEduWithoutResetTest extends PciDeviceContract {
  private final SimulatedBus bus = SimulatedBus.virtualTime();

  SimulatedEduWithoutResetTest() {
    bus.plug("edu", EduModel.withoutReset());
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
