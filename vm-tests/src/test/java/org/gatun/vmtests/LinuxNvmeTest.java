package org.gatun.vmtests;

import java.nio.file.Path;
import java.util.List;
import org.gatun.vmtests.machine.DiskImage;
import org.gatun.vmtests.machine.Host;
import org.gatun.vmtests.machine.TestDevice;
import org.gatun.vmtests.machine.TestDevice.Namespace;
import org.gatun.vmtests.machine.TestDevice.Nvme;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.junit.jupiter.api.Test;

/**
 * What Linux does with an NVMe disk through a QEMU that has vfio-user-pci, tried on QEMU's own
 * disk: what fails here is not the fault of a disk that somebody else serves.
 */
class LinuxNvmeTest {
  private static final long SIZE = 256L << 20;

  @Test
  void keepsFilesOnQemusOwnDisk() throws Exception {
    Host host = VmRun.requireVfioUserHost(System.getenv());
    Path directory = VmRun.named("linux-nvme").directory();
    Path image = DiskImage.blank(directory.resolve("disk.img"), SIZE);
    TestDevice disk = new Nvme("disk", Place.ROOT_PORT, List.of(new Namespace(image, 512)));

    LinuxNvme linux = new LinuxNvme(host, directory, disk);
    linux.copiesFiles();
    linux.findsTheFilesAgain();
  }
}
