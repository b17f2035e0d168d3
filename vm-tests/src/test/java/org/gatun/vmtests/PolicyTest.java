package org.gatun.vmtests;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;
import org.gatun.vmtests.machine.DiskImage;
import org.gatun.vmtests.machine.TestDevice.E1000e;
import org.gatun.vmtests.machine.TestDevice.Edu;
import org.gatun.vmtests.machine.TestDevice.Namespace;
import org.gatun.vmtests.machine.TestDevice.Nvme;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.gatun.vmtests.machine.TestDevice.VirtioRng;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/** The broker's policy holds on QEMU's devices through VFIO: their own registers are looked at. */
class PolicyTest {
  /** That of the suite. */
  private static final String SEED = "gatun.seed";

  @TestFactory
  Stream<DynamicNode> devicesThroughVfio() throws Exception {
    long seed = Long.getLong(SEED, ThreadLocalRandom.current().nextInt());
    System.out.printf("policy: -Dgatun.seed=%d%n", seed);
    VmRun run = VmRun.named("policy").property(SEED, String.valueOf(seed));
    return run.device(new Edu("edu", Place.ROOT_PORT))
        .device(new E1000e("network", Place.ROOT_PORT))
        .device(new VirtioRng("random", Place.ROOT_PORT))
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
        .tests(
            PolicyInVm.Edu.class,
            PolicyInVm.Nvme.class,
            PolicyInVm.NetworkCard.class,
            PolicyInVm.VirtioRng.class)
        .limit(Duration.ofMinutes(15))
        .run();
  }
}
