package org.gatun.vmtests;

import org.gatun.pci.PciDevice;
import org.gatun.testkit.EduDeviceContract;
import org.gatun.testkit.PciDeviceContract;
import org.junit.jupiter.api.AfterEach;

/** Devices through sysfs keep the contract of all devices: for {@link UnprotectedTest}. */
final class UnprotectedContractInVm {
  private UnprotectedContractInVm() {}

  /** The only kind of interrupt is INTx. */
  @InVm
  static class EduBoundToUio extends EduDeviceContract {
    private final UnprotectedDevices edu = UnprotectedDevices.of("edu");

    @Override
    protected PciDevice open() {
      return edu.bind().open();
    }

    @Override
    protected boolean isConfined() {
      return false;
    }

    @Override
    protected EventProbe newEvent() {
      return new EventFdProbe();
    }

    @AfterEach
    void isStopped() {
      device().close();
      edu.checkStopped();
    }
  }

  /** No interrupts, and no reset. */
  @InVm
  static class EduWithoutDriver extends EduDeviceContract {
    @Override
    protected PciDevice open() {
      return UnprotectedDevices.of("root-bus-edu").open();
    }

    @Override
    protected boolean isConfined() {
      return false;
    }
  }

  /** It has I/O ports. */
  @InVm
  static class NetworkCard extends PciDeviceContract {
    @Override
    protected PciDevice open() {
      return UnprotectedDevices.of("network").bind().open();
    }

    @Override
    protected boolean isConfined() {
      return false;
    }
  }
}
