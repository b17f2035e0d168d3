package org.gatun.vmtests;

import java.time.Duration;
import java.util.Optional;
import org.gatun.nativeaccess.EventFd;
import org.gatun.pci.Event;
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

    /** An eventfd: the kernel signals it itself. */
    private static final class EventFdProbe implements EventProbe {
      private final EventFd eventFd = EventFd.create("a connected vector");

      @Override
      public Event event() {
        return new EventFdEvent(eventFd);
      }

      @Override
      public boolean await(Duration limit) {
        return eventFd.await(limit) > 0;
      }

      @Override
      public void close() {
        eventFd.close();
      }
    }
  }

  private record EventFdEvent(EventFd eventFd) implements Event {
    @Override
    public void signal() {
      eventFd.signal();
    }

    @Override
    public <T> Optional<T> unwrap(Class<T> exactType) {
      return exactType == EventFd.class ? Optional.of(exactType.cast(eventFd)) : Optional.empty();
    }
  }
}
