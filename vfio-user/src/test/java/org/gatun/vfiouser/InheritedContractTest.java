package org.gatun.vfiouser;

import org.gatun.pci.PciDevice;
import org.gatun.testkit.PciDeviceContract;
import org.junit.jupiter.api.AfterEach;

/** A client that gets no descriptor over its socket has a device like any other. */
class InheritedContractTest extends PciDeviceContract {
  private final InheritingClient client = new InheritingClient("specimen");

  @AfterEach
  void stopServing() {
    client.close();
  }

  @Override
  protected PciDevice open() {
    return client.open();
  }
}
