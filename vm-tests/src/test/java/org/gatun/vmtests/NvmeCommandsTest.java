package org.gatun.vmtests;

import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;
import org.gatun.vmtests.machine.DiskImage;
import org.gatun.vmtests.machine.TestDevice.Namespace;
import org.gatun.vmtests.machine.TestDevice.Nvme;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/** What the NVMe driver does beyond plain reads and writes, on a controller that others wrote. */
class NvmeCommandsTest {
  /** In bytes. Twice what one Write Zeroes can do with blocks of 512 bytes, and some. */
  static final int DISK_SIZE = 72 << 20;

  @TestFactory
  Stream<DynamicNode> commandsOnRealDevices() throws Exception {
    return withDisks(VmRun.named("nvme-commands")).tests(NvmeCommandsInVm.class).run();
  }

  /** The devices that {@link NvmeCommandsInVm} looks for. */
  static VmRun withDisks(VmRun run) throws IOException {
    for (int blockSize : List.of(512, 4096)) {
      String id = "disk-" + blockSize;
      Namespace namespace =
          new Namespace(
              DiskImage.blank(run.directory().resolve(id + ".img"), DISK_SIZE), blockSize);
      run.device(new Nvme(id, Place.ROOT_PORT, List.of(namespace), NvmeCommandsInVm.MDTS));
    }
    return run;
  }
}
