package org.gatun.vmtests;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.gatun.vmtests.machine.DiskImage;
import org.gatun.vmtests.machine.TestDevice.E1000e;
import org.gatun.vmtests.machine.TestDevice.Edu;
import org.gatun.vmtests.machine.TestDevice.Namespace;
import org.gatun.vmtests.machine.TestDevice.Nvme;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/** Devices through VFIO keep the contract of all devices. */
class VfioContractTest {
  @TestFactory
  Stream<DynamicNode> devicesThroughVfio() throws Exception {
    return withDevices(VmRun.named("contract"))
        .tests(
            VfioContractInVm.EduBehindARootPort.class,
            VfioContractInVm.EduOnTheRootBus.class,
            VfioContractInVm.NvmeDisk.class,
            VfioContractInVm.NetworkCard.class)
        .run();
  }

  /** The devices that {@link VfioContractInVm} looks for. */
  static VmRun withDevices(VmRun run) throws IOException {
    return run.device(new Edu("edu", Place.ROOT_PORT))
        .device(new Edu("root-bus-edu", Place.ROOT_BUS))
        .device(new E1000e("network", Place.ROOT_PORT))
        .device(
            new Nvme(
                "disk",
                Place.ROOT_PORT,
                List.of(
                    new Namespace(
                        DiskImage.blank(run.directory().resolve("disk.img"), 1 << 20), 512))))
        // A reset takes the kernel more than a second, of waiting: the devices are tested side by
        // side.
        .property("junit.jupiter.execution.parallel.enabled", "true")
        .property("junit.jupiter.execution.parallel.mode.default", "same_thread")
        .property("junit.jupiter.execution.parallel.mode.classes.default", "concurrent")
        .property("junit.jupiter.execution.parallel.config.strategy", "fixed")
        .property("junit.jupiter.execution.parallel.config.fixed.parallelism", "4")
        .limit(Duration.ofMinutes(10));
  }
}
