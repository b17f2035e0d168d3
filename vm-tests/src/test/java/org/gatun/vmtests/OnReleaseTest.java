package org.gatun.vmtests;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.gatun.vmtests.machine.DiskImage;
import org.gatun.vmtests.machine.TestDevice.Namespace;
import org.gatun.vmtests.machine.TestDevice.Nvme;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/** A disk through VFIO that QEMU's controller erases between guests. */
class OnReleaseTest {
  static final long DISK_SIZE = 64 << 20;

  @TestFactory
  Stream<DynamicNode> erasedBetweenGuests() throws Exception {
    VmRun run = VmRun.named("on-release");
    Path image = DiskImage.blank(run.directory().resolve("disk.img"), DISK_SIZE);
    return run.device(new Nvme("disk", Place.ROOT_PORT, List.of(new Namespace(image, 512))))
        .tests(OnReleaseInVm.class)
        .limit(Duration.ofMinutes(12))
        .run();
  }
}
