package org.gatun.vmtests;

import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.gatun.vmtests.machine.TestDevice.E1000e;
import org.gatun.vmtests.machine.TestDevice.Edu;
import org.gatun.vmtests.machine.TestDevice.Namespace;
import org.gatun.vmtests.machine.TestDevice.Nvme;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/** Devices through sysfs, in a machine without an IOMMU. */
class UnprotectedTest {
  private static final int DISK = 32 << 20;

  @TestFactory
  Stream<DynamicNode> devicesThroughSysfs() throws Exception {
    GatunCommand.archiveClasses();
    VmRun run = VmRun.named("unprotected").withoutIommu().kernelOptions("hugepages=64");
    byte[] content = new byte[DISK];
    new Random(3).nextBytes(content);
    Path image = Files.write(run.directory().resolve("disk.img"), content);
    String sha256 = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    return run.device(new Edu("edu", Place.ROOT_PORT))
        .device(new Edu("root-bus-edu", Place.ROOT_BUS))
        .device(new Edu("second-edu", Place.ROOT_PORT))
        .device(new E1000e("network", Place.ROOT_PORT))
        .device(new Nvme("disk", Place.ROOT_PORT, List.of(new Namespace(image, 512))))
        .property(UnprotectedInVm.SHA_256, sha256)
        // A reset takes the kernel more than a second, of waiting.
        .property("junit.jupiter.execution.parallel.enabled", "true")
        .property("junit.jupiter.execution.parallel.mode.default", "same_thread")
        .property("junit.jupiter.execution.parallel.mode.classes.default", "concurrent")
        .property("junit.jupiter.execution.parallel.config.strategy", "fixed")
        .property("junit.jupiter.execution.parallel.config.fixed.parallelism", "4")
        .tests(
            UnprotectedContractInVm.EduBoundToUio.class,
            UnprotectedContractInVm.EduWithoutDriver.class,
            UnprotectedContractInVm.NetworkCard.class,
            UnprotectedInVm.class)
        .limit(Duration.ofMinutes(10))
        .run();
  }
}
