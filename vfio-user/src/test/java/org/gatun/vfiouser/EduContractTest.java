package org.gatun.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;

import org.gatun.pci.DmaDirection;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.IommuFault;
import org.gatun.testkit.EduDeviceContract;
import org.junit.jupiter.api.AfterEach;

class EduContractTest extends EduDeviceContract {
  private final Served served = new Served("edu");

  @AfterEach
  void stopServing() {
    served.close();
  }

  @Override
  protected PciDevice open() {
    return served.open();
  }

  @Override
  protected EventProbe newEvent() {
    return new EventFdProbe();
  }

  @Override
  protected TimeSource time() {
    return TimeSource.system();
  }

  @Override
  protected void refused(long busAddress, DmaDirection direction) {
    IommuFault newest = served.bus().iommu().faults().getLast();
    assertThat(newest.busAddress()).isEqualTo(busAddress);
    assertThat(newest.direction()).isEqualTo(direction);
  }
}
