package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;
import org.gatun.vmtests.machine.DiskImage;
import org.gatun.vmtests.machine.TestDevice.Place;
import org.gatun.vmtests.machine.TestDevice.Serial;
import org.gatun.vmtests.machine.TestDevice.VirtioBlk;
import org.gatun.vmtests.machine.TestDevice.VirtioNet;
import org.gatun.vmtests.machine.TestDevice.VirtioRng;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The drivers of virtio devices and serial ports on QEMU's devices through VFIO. */
class DriversTest {
  static final int DISK_SIZE = 8 << 20;
  static final long SEED = 1_042;

  @TestFactory
  Stream<DynamicNode> onQemusDevices() throws Exception {
    VmRun run = VmRun.named("drivers");
    Path image = DiskImage.blank(run.directory().resolve("disk.img"), DISK_SIZE);
    Path cable = run.directory().resolve("cable");
    Files.deleteIfExists(cable);
    Stream<DynamicNode> results =
        run.device(new VirtioBlk("disk", Place.ROOT_PORT, image, 512))
            .device(new VirtioNet("card0", Place.ROOT_PORT, 0))
            .device(new VirtioNet("card1", Place.ROOT_PORT, 0))
            .device(new VirtioRng("random", Place.ROOT_PORT))
            .device(new Serial("port0", Place.ROOT_PORT, cable))
            .device(new Serial("port1", Place.ROOT_PORT, cable))
            .tests(DriversInVm.class)
            .limit(Duration.ofMinutes(10))
            .run();
    return Stream.concat(
        results,
        Stream.of(
            DynamicTest.dynamicTest(
                "the host finds on the disk what was written",
                () -> {
                  try (FileChannel file = FileChannel.open(image)) {
                    DiskPattern pattern = new DiskPattern(SEED);
                    for (long at = 0; at < DriversInVm.WRITTEN; at += DiskPattern.CHUNK) {
                      pattern.check(
                          at, file.map(FileChannel.MapMode.READ_ONLY, at, DiskPattern.CHUNK));
                    }
                  }
                  assertThat(Files.size(image)).isEqualTo(DISK_SIZE);
                })));
  }
}
