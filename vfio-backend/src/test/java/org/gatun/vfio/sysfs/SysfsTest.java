package org.gatun.vfio.sysfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.gatun.pci.PciAddress;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.PciId;
import org.gatun.pci.spi.Hazard;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SysfsTest {
  private static final String ADDRESS = "0000:01:00.0";

  private static final String UNSAFE_INTERRUPTS =
      "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts";

  @TempDir Path root;
  private FakeMachine machine;

  @BeforeEach
  void boot() {
    machine = new FakeMachine(root);
  }

  @Test
  void showsADevice() {
    machine
        .device(ADDRESS, "nvme", 7)
        .file(machine.real(ADDRESS) + "/numa_node", "1\n")
        .file(machine.real(ADDRESS) + "/reset_method", "flr bus\n");

    SysfsDevice device = only();

    assertThat(device.address()).isEqualTo(PciAddress.parse(ADDRESS));
    assertThat(device.id()).isEqualTo(new PciId(0x1b36, 0x10, 0x1af4, 0x1100));
    assertThat(device.pciClass().code()).isEqualTo(0x010802);
    assertThat(device.driver()).contains("nvme");
    assertThat(device.driverOverride()).isEmpty();
    assertThat(device.iommuGroupNumber()).contains(7);
    assertThat(device.numaNode()).contains(1);
    assertThat(device.isEndpoint()).isTrue();
    assertThat(device.resetMethods()).containsExactly("flr", "bus");
    assertThat(device.resources())
        .containsExactly(new SysfsDevice.Resource(0, false, false, 0xfebf0000L, 0x4000));
    assertThat(device.config().read16(ConfigRegisters.VENDOR_ID)).isEqualTo(0x1b36);
  }

  @Test
  void listsDevicesByAddress() {
    machine
        .device("0000:02:00.0", "", -1)
        .device("0000:00:1f.2", "", -1)
        .device("10000:00:00.0", "", -1);

    assertThat(machine.sysfs().devices())
        .extracting(d -> d.address().toString())
        .containsExactly("0000:00:1f.2", "0000:02:00.0", "10000:00:00.0");
  }

  @Test
  void passesOverWhatIsNotADevice() throws IOException {
    machine.device(ADDRESS, "", -1).directory("sys/bus/pci/devices/not-an-address");
    // A device on its way out: its link is still there, its directory is not; or its files are
    // gone.
    machine.link("sys/bus/pci/devices/0000:02:00.0", Path.of("sys/devices/gone"));
    machine.directory("sys/bus/pci/devices/0000:03:00.0");

    assertThat(machine.sysfs().devices())
        .extracting(d -> d.address().toString())
        .containsExactly(ADDRESS);
    Files.delete(root.resolve("sys/bus/pci/devices/" + ADDRESS));
    assertThat(machine.sysfs().devices()).isEmpty();
  }

  @Test
  void takesGarbageAsAbsent() {
    String real = machine.real(ADDRESS).toString();
    machine
        .device(ADDRESS, "", -1)
        .file(real + "/class", "0x123456789\n")
        .file(real + "/subsystem_vendor", "\u0000\u00ff")
        .file(real + "/numa_node", "99999999999\n")
        .file(
            real + "/resource",
            "0x10 0x0f 0x200\nnonsense\n0xzz 0xff 0x200\n0x1000 0x1fff 0x200\n0x0 0x7fffffff\n")
        .file(real + "/config", "")
        .link(real + "/iommu_group", Path.of("sys/kernel/iommu_groups/many"));

    SysfsDevice device = only();

    assertThat(device.pciClass().code()).isZero();
    assertThat(device.id()).isEqualTo(new PciId(0x1b36, 0x10, 0, 0x1100));
    assertThat(device.numaNode()).isEmpty();
    assertThat(device.iommuGroupNumber()).isEmpty();
    assertThat(device.isEndpoint()).isFalse();
    assertThat(device.resources()).hasSize(1).first().hasFieldOrPropertyWithValue("index", 3);
  }

  @Test
  void aDeviceBehindAnIommuAndWithAResetHasNoHazards() {
    machine
        .device(ADDRESS, "", 7)
        // The port above it is in its group on some machines: it does no DMA of its own.
        .device("0000:00:01.0", "pcieport", 7)
        .config("0000:00:01.0", 1)
        .file(UNSAFE_INTERRUPTS, "N\n");

    assertThat(only(ADDRESS).hazards()).isEmpty();
  }

  @Test
  void eachHazardIsSeen() {
    machine.device(ADDRESS, "", -1);
    assertThat(only().hazards()).containsExactly(Hazard.UNPROTECTED_DMA);

    machine.device(ADDRESS, "", 7).file("sys/kernel/iommu_groups/7/name", "vfio-noiommu\n");
    assertThat(only().hazards()).containsExactly(Hazard.UNPROTECTED_DMA);

    machine.file("sys/kernel/iommu_groups/7/name", "other\n").file(UNSAFE_INTERRUPTS, "Y\n");
    assertThat(only().hazards()).containsExactly(Hazard.UNSAFE_INTERRUPTS);

    machine.file(UNSAFE_INTERRUPTS, "N\n").device("0000:01:00.1", "", 7);
    assertThat(only().hazards()).containsExactly(Hazard.MISSING_ACS);
  }

  @Test
  void aDeviceWithoutAWayToResetItIsAHazard() throws IOException {
    Path methods = root.resolve(machine.real(ADDRESS)).resolve("reset_method");
    machine.device(ADDRESS, "", 7);
    Files.writeString(methods, "\n");
    assertThat(only().hazards()).containsExactly(Hazard.MISSING_RESET);

    Files.delete(methods);
    assertThat(only().hazards()).containsExactly(Hazard.MISSING_RESET);
    // Before Linux 5.15 there is only the file that resets.
    machine.file(machine.real(ADDRESS) + "/reset", "");
    assertThat(only().hazards()).isEmpty();
  }

  @Test
  void aVanishedDeviceIsAbsentNotAnError() throws IOException {
    machine.device(ADDRESS, "nvme", 7);
    SysfsDevice device = only();
    Files.delete(root.resolve("sys/bus/pci/devices/" + ADDRESS));

    assertThat(device.driver()).isEmpty();
    assertThat(device.resources()).isEmpty();
    assertThat(device.config().size()).isZero();
    assertThat(device.id()).isEqualTo(new PciId(0, 0, 0, 0));
    assertThat(machine.sysfs().device(device.address())).isEmpty();
  }

  @Test
  void aCopyOfConfigSpaceCannotBeWritten() {
    machine.device(ADDRESS, "", -1);

    assertThatThrownBy(() -> only().config().write16(ConfigRegisters.COMMAND, 0))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("only read");
  }

  @Test
  void anIommuGroupNamesWhatBlocksIt() {
    machine
        .device("0000:00:01.0", "pcieport", 7)
        .config("0000:00:01.0", 1)
        .device(ADDRESS, "vfio-pci", 7)
        .device("0000:01:00.1", "", 7)
        .device("0000:01:00.2", "pci-stub", 7)
        .device("0000:01:00.3", "mlx5_vfio_pci", 7);
    assertThat(only(ADDRESS).iommuGroup().orElseThrow().isViable()).isTrue();

    machine.device("0000:01:00.4", "snd_hda_intel", 7);
    IommuGroup group = only(ADDRESS).iommuGroup().orElseThrow();

    assertThat(group.isViable()).isFalse();
    assertThat(group.blockers())
        .extracting(IommuGroup.Member::toString)
        .containsExactly("0000:01:00.4 (snd_hda_intel)");
    assertThat(group.toString())
        .startsWith("IOMMU group 7: 0000:00:01.0 bridge (pcieport), 0000:01:00.0 (vfio-pci)")
        .contains("0000:01:00.1 (no driver)");
  }

  @Test
  void tellsWhyThereIsNoIommu() {
    assertThat(IommuDiagnosis.of(machine.sysfs()).remedy()).contains("firmware");
    machine.file("sys/firmware/acpi/tables/DMAR", "");
    assertThat(IommuDiagnosis.of(machine.sysfs()).remedy()).contains("add 'intel_iommu=on'");
    machine.file("proc/cmdline", "quiet intel_iommu=on iommu=off");
    assertThat(IommuDiagnosis.of(machine.sysfs()).problem()).contains("'iommu=off'");
    machine.file("proc/cmdline", "quiet intel_iommu=on");
    assertThat(IommuDiagnosis.of(machine.sysfs()).remedy()).contains("log");
    machine.device("0000:05:00.0", "", 3);
    assertThat(IommuDiagnosis.of(machine.sysfs()).problem()).contains("does not cover this device");
  }

  @Test
  void namesWhoHoldsAFile() {
    machine.process(4711, "java", "dev/vfio/7").process(4712, "cat", "dev/null");

    assertThat(machine.sysfs().holders(machine.sysfs().vfioNode(7)))
        .containsExactly(new Sysfs.Holder(4711, "java"));
  }

  @Test
  void namesWhoHoldsItsRegisters() throws Exception {
    machine.device(ADDRESS, "", -1);
    String directory = only().directory().toRealPath().toString();
    machine
        .process(1, "lspci", directory + "/resource")
        .process(2, "cat", directory + "/config")
        .process(3, "driver", directory + "/resource2")
        .process(4, "java", "dev/null")
        .file(
            "proc/4/maps",
            """
            7f0000000000-7f0000001000 r-xp 00000000 fe:01 1234 /usr/lib/libc.so.6
            7f0000002000-7f0000003000 rw-s 00000000 00:15 4321   %s/resource0_wc
            7ffff0000000-7ffff0001000 rw-p 00000000 00:00 0 [stack]
            """
                .formatted(directory))
        .process(5, "other", "dev/null")
        .file(
            "proc/5/maps",
            "7f0000002000-7f0000003000 rw-s 0 00:15 1 "
                + directory.replace(":00.0", ":00.1")
                + "/resource0\n");

    assertThat(only().holders())
        .containsExactly(new Sysfs.Holder(3, "driver"), new Sysfs.Holder(4, "java"));
  }

  private SysfsDevice only() {
    return only(ADDRESS);
  }

  private SysfsDevice only(String address) {
    return machine.sysfs().device(PciAddress.parse(address)).orElseThrow();
  }
}
