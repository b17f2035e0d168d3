package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Optional;
import org.gatun.pci.PciAddress;
import org.gatun.vfio.sysfs.Sysfs;
import org.gatun.vfio.sysfs.SysfsDevice;
import org.gatun.vmtests.VfioDevices.Taken;
import org.gatun.vmtests.inside.Inside;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What {@link VfioDevices} checks after each test can fail: for {@link VirtualMachineTest}. */
@InVm
class VfioDevicesInVm {
  @RegisterExtension final VfioDevices devices = new VfioDevices();

  @ParameterizedTest
  @CsvSource({"edu, bus", "disk, flr"})
  void marksAreThereUntilAReset(String id, String method) throws IOException {
    SysfsDevice device = sysfs(id);
    assertThat(device.resetMethods()).first().isEqualTo(method);
    List<ResetMarker> markers = ResetMarker.of(device);
    assertThat(markers).isNotEmpty();

    markers.forEach(ResetMarker::set);
    assertThat(markers).allMatch(ResetMarker::isSet);
    reset(device);

    assertThat(markers).noneMatch(ResetMarker::isSet);
  }

  @Test
  void aDeviceThatWasNotResetAtItsCloseIsFound() throws IOException {
    // On the root bus: elsewhere the kernel resets the bus, whatever it was told of the device.
    Taken taken = devices.device("root-bus-disk", "nvme").bind();
    SysfsDevice device = taken.sysfs();
    Files.writeString(device.directory().resolve("reset_method"), "\n");
    try {
      taken.open().close();
    } finally {
      Files.writeString(device.directory().resolve("reset_method"), "default");
    }

    assertThatExceptionOfType(AssertionError.class)
        .isThrownBy(taken::checkAtRest)
        .withMessageContaining("marks that a reset of " + taken.address());
    reset(device);
    taken.checkAtRest();
  }

  @Test
  void closingResets() {
    Taken taken = devices.device("root-bus-disk", "nvme");
    List<ResetMarker> markers = ResetMarker.of(taken.sysfs());
    try (var device = taken.open()) {
      assertThat(markers).as("marks of %s", device).isNotEmpty().allMatch(ResetMarker::isSet);
    }

    assertThat(markers).noneMatch(ResetMarker::isSet);
  }

  private static SysfsDevice sysfs(String id) {
    Optional<SysfsDevice> device =
        Sysfs.ofThisMachine().device(PciAddress.parse(Inside.address(id)));
    return device.orElseThrow();
  }

  private static void reset(SysfsDevice device) throws IOException {
    Files.writeString(device.directory().resolve("reset"), "1");
  }
}
