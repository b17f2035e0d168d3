package org.gatun.vfio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import org.assertj.core.api.AbstractThrowableAssert;
import org.gatun.nativeaccess.Access;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciAddress;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.vfio.sysfs.FakeMachine;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Up to where VFIO begins: that takes a kernel, so its tests run in a virtual machine. */
class VfioBackendTest {
  private static final String ADDRESS = "0000:01:00.0";
  private static final DeviceName NAME = new DeviceName("vfio", ADDRESS);

  @TempDir Path root;
  private FakeMachine machine;
  private VfioBackend backend;

  @BeforeEach
  void boot() {
    machine = new FakeMachine(root);
    backend = new VfioBackend(machine.sysfs());
  }

  @Test
  void findsADeviceUnderEachOfItsNames() {
    machine.device(ADDRESS, "", 7);

    assertThat(backend.find(new DeviceName("vfio", "01:00.0"))).contains(backend.scan().getFirst());
    assertThat(backend.find(new DeviceName("vfio", "02:00.0"))).isEmpty();
  }

  @Test
  void scans() {
    machine.device(ADDRESS, "nvme", 7);

    assertThat(backend.scan())
        .singleElement()
        .isEqualTo(
            new FoundDevice(
                NAME,
                Optional.of(PciAddress.parse(ADDRESS)),
                new PciId(0x1b36, 0x10, 0x1af4, 0x1100),
                new PciClass(0x010802),
                Optional.of("nvme"),
                Optional.of(7),
                Set.of()));
  }

  @Test
  void scansThisMachineWithoutPrivileges() {
    assertThat(new VfioBackend().scan()).allMatch(found -> found.name().scheme().equals("vfio"));
  }

  @Test
  void aNameThatIsNoAddressIsRefused() {
    assertThatThrownBy(() -> backend.open(new DeviceName("vfio", "disk")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("'disk'");
  }

  @Test
  void aMissingDevice() {
    cannotOpen()
        .hasMessage(
            "vfio:" + ADDRESS + ": there is no such device; 'gatun list' shows those there are");
  }

  @Test
  void aDeviceThatIsNotBound() {
    machine.device(ADDRESS, "nvme", 7);

    cannotOpen()
        .hasMessageContaining("bound to the driver nvme")
        .hasMessageContaining("run 'gatun bind " + ADDRESS + "' as root");
  }

  @Test
  void aMachineWithoutIommu() {
    machine.device(ADDRESS, "vfio-pci", -1);

    cannotOpen().hasMessageContaining("no IOMMU confines it");
  }

  @Test
  void aMachineWithoutVfio() {
    machine.device(ADDRESS, "vfio-pci", 7);

    cannotOpen().hasMessageContaining("run 'modprobe vfio-pci' as root");
  }

  @Test
  void aNodeThatIsNotVfio() {
    machine.device(ADDRESS, "vfio-pci", 7).file("dev/vfio/vfio", "");

    cannotOpen().hasMessageContaining("VFIO_GET_API_VERSION").hasMessageContaining("ENOTTY");
  }

  @Test
  void aGroupWithoutNode() {
    OpenFailures failures = failures();

    assertThat(failures.group(machine.sysfs().vfioNode(7), failure("/nowhere")).getMessage())
        .contains("there is no " + root.resolve("dev/vfio/7"))
        .contains("gatun bind " + ADDRESS);
  }

  @Test
  void aGroupThatIsNotViableNamesWhatBlocksIt() {
    machine.device("0000:01:00.1", "snd_hda_intel", 7);

    assertThat(failures().notViable().getMessage())
        .contains("0000:01:00.0 (vfio-pci), 0000:01:00.1 (snd_hda_intel)")
        .endsWith("run 'gatun bind 0000:01:00.1' as root");
  }

  private OpenFailures failures() {
    machine.device(ADDRESS, "vfio-pci", 7);
    return new OpenFailures(NAME, machine.sysfs().iommuGroup(7), machine.sysfs());
  }

  private static LinuxException failure(String path) {
    try (Fd fd = Fd.open(Path.of(path), Access.READ)) {
      throw new AssertionError(fd + " opened");
    } catch (LinuxException e) {
      return e;
    }
  }

  private AbstractThrowableAssert<?, ?> cannotOpen() {
    return assertThatThrownBy(() -> backend.open(NAME))
        .isInstanceOf(DeviceUnavailableException.class)
        .hasMessageStartingWith("vfio:" + ADDRESS + ": ")
        .hasMessageNotContaining("\n");
  }
}
