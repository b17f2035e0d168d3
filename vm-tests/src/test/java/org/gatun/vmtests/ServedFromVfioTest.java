package org.gatun.vmtests;

import java.time.Duration;
import java.util.stream.Stream;
import org.gatun.testkit.DeviceRoute;
import org.gatun.vmtests.machine.TestDevice.Edu;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/** QEMU's devices: behind VFIO, our server and our client. */
class ServedFromVfioTest {
  @TestFactory
  Stream<DynamicNode> devicesOverASocket() throws Exception {
    VmRun run = VmRun.named("over-socket").limit(Duration.ofMinutes(10));
    return NvmeCommandsTest.withDisks(run)
        .device(new Edu("edu", Place.ROOT_PORT))
        .property(DeviceRoute.PROPERTY, "vfio-user")
        .tests(EduInVm.class, NvmeCommandsInVm.class, VfioContractInVm.EduBehindARootPort.class)
        .run();
  }
}
