package org.gatun.vmtests;

import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.gatun.vmtests.machine.DiskImage;
import org.gatun.vmtests.machine.TestDevice.Edu;
import org.gatun.vmtests.machine.TestDevice.Namespace;
import org.gatun.vmtests.machine.TestDevice.Nvme;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/**
 * The edu driver and the command on devices behind VFIO: what they do and what they refuse; and
 * with huge pages, and JNA.
 */
class CommandTest {
  static final long DISK_SIZE = 16 << 20;

  /** Of the {@link DiskPattern} on the disk. */
  static final long SEED = 4711;

  @TestFactory
  Stream<DynamicNode> commandOnRealDevices() throws Exception {
    GatunCommand.archiveClasses();
    VmRun run = VmRun.named("command").limit(Duration.ofMinutes(10));
    Path image = DiskImage.blank(run.directory().resolve("disk.img"), DISK_SIZE);
    DiskPattern pattern = new DiskPattern(SEED);
    try (FileChannel file = FileChannel.open(image, StandardOpenOption.WRITE)) {
      for (long offset = 0; offset < DISK_SIZE; offset += DiskPattern.CHUNK) {
        file.write(ByteBuffer.wrap(pattern.at(offset)), offset);
      }
    }
    return run.device(new Nvme("disk", Place.ROOT_PORT, List.of(new Namespace(image, 512))))
        .device(new Edu("edu", Place.ROOT_PORT))
        .tests(EduInVm.class, WrongInputInVm.class, CommandInVm.class)
        .run();
  }
}
