package org.gatun.vmtests;

import java.nio.file.Path;
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

/** The machine that all tests inside rely on. */
class VirtualMachineTest {
  @TestFactory
  Stream<DynamicNode> machine() throws Exception {
    VmRun run = VmRun.named("machine");
    Path image = DiskImage.blank(run.directory().resolve("disk.img"), 1 << 20);
    Path other = DiskImage.blank(run.directory().resolve("other.img"), 1 << 20);
    return run.device(new Edu("edu", Place.ROOT_PORT))
        .device(new Edu("root-bus-edu", Place.ROOT_BUS))
        .device(new E1000e("network", Place.ROOT_PORT))
        .device(new Nvme("disk", Place.ROOT_PORT, List.of(new Namespace(image, 512))))
        .device(new Nvme("root-bus-disk", Place.ROOT_BUS, List.of(new Namespace(other, 512))))
        .tests(MachineInVm.class, VfioDevicesInVm.class)
        .run();
  }
}
