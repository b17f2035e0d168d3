package org.gatun.vfiouser;

import org.gatun.pci.PciDevice;
import org.gatun.testkit.PciDeviceContract;
import org.junit.jupiter.api.AfterEach;

class SpecimenContractTest extends PciDeviceContract {
  private final Served served = new Served("specimen");

  @AfterEach
  void stopServing() {
    served.close();
  }

  @Override
  protected PciDevice open() {
    return served.open();
  }
}
