package org.gatun.vmtests;

import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.gatun.vmtests.machine.DiskImage;
import org.gatun.vmtests.machine.TestDevice.Edu;
import org.gatun.vmtests.machine.TestDevice.Namespace;
import org.gatun.vmtests.machine.TestDevice.Nvme;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.gatun.vmtests.machine.TestDevice.VirtioRng;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/** The tests that the simulated bus passes, on QEMU's q35. */
class ConformanceTest {
  @TestFactory
  Stream<DynamicNode> qemusDevices() throws Exception {
    VmRun run = VmRun.named("conformance");
    // The pins of every fourth root port are routed to the same line.
    return run.device(new Edu("edu0", Place.ROOT_PORT))
        .device(new VirtioRng("random1", Place.ROOT_PORT))
        .device(new VirtioRng("random2", Place.ROOT_PORT))
        .device(
            new Nvme(
                "disk",
                Place.ROOT_PORT,
                List.of(
                    new Namespace(
                        DiskImage.blank(run.directory().resolve("disk.img"), 1 << 20), 512))))
        .device(new Edu("edu4", Place.ROOT_PORT))
        .tests(ConformanceInVm.class)
        .limit(Duration.ofMinutes(5))
        .run();
  }
}
