package org.gatun.vmtests;

import java.util.List;
import java.util.stream.Stream;
import org.gatun.vmtests.machine.DiskImage;
import org.gatun.vmtests.machine.TestDevice.Namespace;
import org.gatun.vmtests.machine.TestDevice.Nvme;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/**
 * Sessions of drivers with QEMU's devices, recorded through VFIO and replayed. The recordings are
 * left in {@code target/vm/replay/share}.
 */
class ReplayTest {
  private static final int BLOCK_SIZE = 512;

  @TestFactory
  Stream<DynamicNode> sessionsThroughVfio() throws Exception {
    VmRun run = VmRun.named("replay");
    Namespace namespace =
        new Namespace(DiskImage.blank(run.directory().resolve("disk.img"), 1 << 20), BLOCK_SIZE);
    return run.device(new Nvme("disk", Place.ROOT_PORT, List.of(namespace)))
        .tests(ReplayInVm.class)
        .run();
  }
}
