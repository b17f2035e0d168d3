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

/** Guests in processes of their own, whose limits cgroups hold; one of them a flooder. */
class FloodTest {
  private static final long DISK_SIZE = 64 << 20;

  @TestFactory
  Stream<DynamicNode> limitsAndAFlooder() throws Exception {
    VmRun run = VmRun.named("flood");
    for (String disk : List.of("victim", "flooder")) {
      Path image = DiskImage.blank(run.directory().resolve(disk + ".img"), DISK_SIZE);
      run.device(new Nvme(disk, Place.ROOT_PORT, List.of(new Namespace(image, 512))));
    }
    return run.tests(FloodInVm.class).limit(Duration.ofMinutes(20)).run();
  }
}
