package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

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

/** The packaged unit under a real systemd, with all that it takes from the broker. */
class ServiceTest {
  private static final long DISK_SIZE = 64 << 20;

  @TestFactory
  Stream<DynamicNode> packagedService() throws Exception {
    assumeThat(Systemd.PROGRAM).as("systemd: install Debian's package of that name").exists();
    Path unit =
        Path.of(System.getProperty("basedir", ""))
            .toAbsolutePath()
            .resolveSibling("packaging/gatun-broker.service");
    assertThat(unit).exists();
    VmRun run = VmRun.named("service");
    Path image = DiskImage.blank(run.directory().resolve("disk.img"), DISK_SIZE);
    return run.device(new Nvme("disk", Place.ROOT_PORT, List.of(new Namespace(image, 512))))
        .property(ServiceInVm.UNIT, unit.toString())
        .tests(ServiceInVm.class)
        .limit(Duration.ofMinutes(12))
        .run();
  }
}
