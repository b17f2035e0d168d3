package org.gatun.vmtests;

import java.util.List;
import java.util.Set;
import org.gatun.broker.Broker;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.Quota;
import org.gatun.broker.policy.ConfigPolicy;
import org.gatun.broker.policy.Quirk;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.testkit.GuestPolicyContract;
import org.gatun.vfio.VfioBackend;
import org.gatun.vmtests.VfioDevices.Taken;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;

/** The policy suite on devices through VFIO: for {@link PolicyTest}. */
final class PolicyInVm {
  private PolicyInVm() {}

  @InVm
  static class Edu extends PolicyThroughVfio {
    @Override
    Taken device(VfioDevices devices) {
      return devices.device("edu");
    }
  }

  @InVm
  static class Nvme extends PolicyThroughVfio {
    @Override
    Taken device(VfioDevices devices) {
      return devices.device("disk", "nvme");
    }
  }

  @InVm
  static class NetworkCard extends PolicyThroughVfio {
    @Override
    Taken device(VfioDevices devices) {
      return devices.device("network", "e1000e");
    }
  }

  @InVm
  static class VirtioRng extends PolicyThroughVfio {
    @Override
    Taken device(VfioDevices devices) {
      return devices.device("random", "virtio-pci");
    }
  }

  /** One broker for all tests of a device: each grant ends with resets, which take seconds. */
  @TestInstance(Lifecycle.PER_CLASS)
  abstract static class PolicyThroughVfio extends GuestPolicyContract {
    private final Taken taken = device(new VfioDevices());
    private final Broker broker = new Broker(List.of(new VfioBackend()));
    private final HardwareConfig hardware = HardwareConfig.open(taken.sysfs());

    abstract Taken device(VfioDevices devices);

    @BeforeAll
    void seize() {
      broker.seize(taken.bind().name());
    }

    @AfterAll
    void giveBack() {
      broker.close();
      taken.giveBack();
      hardware.close();
    }

    @Override
    protected PciDevice grant(Knobs knobs) {
      ConfigPolicy policy =
          new ConfigPolicy(
              knobs.permissive(),
              knobs.allowInterruptControl(),
              Set.of(),
              knobs.quirks().stream().map(Quirk::parse).toList());
      return broker
          .grant("guest", Quota.DEFAULT, List.of(DeviceRequest.of(taken.name()).withConfig(policy)))
          .connect()
          .getFirst();
    }

    @Override
    protected ConfigSpace hardware() {
      return hardware;
    }
  }
}
