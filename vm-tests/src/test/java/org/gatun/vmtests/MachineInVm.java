package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.gatun.vmtests.inside.Command;
import org.gatun.vmtests.inside.Inside;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The machine is what {@link VirtualMachineTest} ordered. */
@InVm
class MachineInVm {
  @Test
  void hasAnIommuWithGroups() throws IOException {
    assertThat(list(Path.of("/sys/kernel/iommu_groups"))).isNotEmpty();
  }

  @Test
  void hasVfio() throws Exception {
    Command.run("modprobe", "vfio-pci").expectSuccess();

    assertThat(Path.of("/dev/vfio/vfio")).exists();
    assertThat(Path.of("/sys/bus/pci/drivers/vfio-pci")).isDirectory();
  }

  @ParameterizedTest
  @CsvSource({
    "edu, 0x1234, 0x11e8, 0x00ff00",
    "root-bus-edu, 0x1234, 0x11e8, 0x00ff00",
    "disk, 0x1b36, 0x0010, 0x010802",
    "network, 0x8086, 0x10d3, 0x020000"
  })
  void hasEachDeviceAloneInItsGroup(String id, String vendor, String device, String classCode)
      throws IOException {
    Path sysfs = Path.of("/sys/bus/pci/devices", Inside.address(id));

    assertThat(Files.readString(sysfs.resolve("vendor")).strip()).isEqualTo(vendor);
    assertThat(Files.readString(sysfs.resolve("device")).strip()).isEqualTo(device);
    assertThat(Files.readString(sysfs.resolve("class")).strip()).isEqualTo(classCode);
    assertThat(list(sysfs.resolve("iommu_group/devices"))).containsExactly(Inside.address(id));
    assertThat(sysfs.resolve("driver")).doesNotExist();
  }

  private static List<String> list(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(file -> file.getFileName().toString()).toList();
    }
  }
}
