package org.gatun.vmtests;

import org.gatun.pci.PciDevice;
import org.gatun.testkit.EduDeviceContract;
import org.gatun.testkit.PciDeviceContract;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Devices through VFIO keep the contract of all devices: for {@link VfioContractTest}. */
final class VfioContractInVm {
  private VfioContractInVm() {}

  @InVm
  static class EduBehindARootPort extends EduThroughVfio {
    EduBehindARootPort() {
      super("edu");
    }
  }

  /** The device that has no reset. */
  @InVm
  static class EduOnTheRootBus extends EduThroughVfio {
    EduOnTheRootBus() {
      super("root-bus-edu");
    }
  }

  @InVm
  static class NvmeDisk extends PciDeviceContract {
    @RegisterExtension final VfioDevices devices = new VfioDevices();

    @Override
    protected PciDevice open() {
      return devices.device("disk", "nvme").open();
    }
  }

  @InVm
  static class NetworkCard extends PciDeviceContract {
    @RegisterExtension final VfioDevices devices = new VfioDevices();

    @Override
    protected PciDevice open() {
      return devices.device("network", "e1000e").open();
    }
  }

  /**
   * The faults of the IOMMU are not looked for: the kernel logs three of them in five seconds at
   * most. {@link EduInVm} does that.
   */
  abstract static class EduThroughVfio extends EduDeviceContract {
    @RegisterExtension final VfioDevices devices = new VfioDevices();
    private final String id;

    EduThroughVfio(String id) {
      this.id = id;
    }

    @Override
    protected PciDevice open() {
      return devices.device(id).open();
    }

    @Override
    protected EventProbe newEvent() {
      return new EventFdProbe();
    }
  }
}
