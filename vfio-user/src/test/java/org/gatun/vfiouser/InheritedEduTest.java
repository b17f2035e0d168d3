package org.gatun.vfiouser;

import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.testkit.EduDeviceContract;
import org.junit.jupiter.api.AfterEach;

class InheritedEduTest extends EduDeviceContract {
  private final InheritingClient client = new InheritingClient("edu");

  @AfterEach
  void stopServing() {
    client.close();
  }

  @Override
  protected PciDevice open() {
    return client.open();
  }

  @Override
  protected EventProbe newEvent() {
    return new EventFdProbe();
  }

  @Override
  protected TimeSource time() {
    return TimeSource.system();
  }
}
