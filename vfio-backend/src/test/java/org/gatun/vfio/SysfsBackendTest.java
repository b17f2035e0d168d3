package org.gatun.vfio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import org.assertj.core.api.AbstractThrowableAssert;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciAddress;
import org.gatun.pci.spi.Hazard;
import org.gatun.vfio.sysfs.FakeMachine;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is refused; what is opened is tested in a virtual machine. */
class SysfsBackendTest {
  private static final String ADDRESS = "0000:01:00.0";
  private static final String CONSENT = ADDRESS + ",unprotected-dma";

  @TempDir Path root;
  private FakeMachine machine;
  private SysfsBackend backend;

  @BeforeEach
  void boot() {
    machine = new FakeMachine(root);
    backend = new SysfsBackend(machine.sysfs());
  }

  @Test
  void listsNothingSinceVfioDoes() {
    machine.device(ADDRESS, "", -1);

    assertThat(backend.scan()).isEmpty();
  }

  @Test
  void findsAllTheSame() {
    machine.device(ADDRESS, "", -1);

    DeviceName asked = new DeviceName("sysfs", ADDRESS);
    assertThat(backend.find(asked))
        .hasValueSatisfying(
            found -> {
              assertThat(found.name()).hasToString("sysfs:" + CONSENT);
              assertThat(found.hazards()).contains(Hazard.UNPROTECTED_DMA);
            });
    assertThat(backend.find(new DeviceName("sysfs", "0000:01:00.1"))).isEmpty();
  }

  @Test
  void refusesUnlessTheNameSaysSo() {
    machine.device(ADDRESS, "", -1);

    cannotOpen(ADDRESS)
        .hasMessage(
            "sysfs:0000:01:00.0: no IOMMU confines its DMA: its driver could read and write all"
                + " memory of this machine; if you trust that driver as you trust the kernel, say"
                + " so: 'sysfs:0000:01:00.0,unprotected-dma'");
  }

  @Test
  void takesOnlyThoseWords() {
    machine.device(ADDRESS, "", -1);
    for (String text : new String[] {"unprotected", "unprotected-dma=yes", "UNPROTECTED-DMA", ""}) {
      assertThatThrownBy(() -> backend.open(new DeviceName("sysfs", ADDRESS + "," + text)))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void refusesWhatAnIommuConfinesEvenSo() {
    machine.device(ADDRESS, "", 7);

    cannotOpen(CONSENT)
        .hasMessageContaining("an IOMMU confines it")
        .hasMessageEndingWith("open vfio:" + ADDRESS + " instead");
  }

  @Test
  void aGroupOfVfioWithoutIommuConfinesNobody() {
    machine.device(ADDRESS, "nvme", 7).file("sys/kernel/iommu_groups/7/name", "vfio-noiommu\n");

    cannotOpen(CONSENT).hasMessageContaining("bound to the driver nvme");
  }

  @Test
  void refusesWhatADriverOfTheKernelHas() {
    machine.device(ADDRESS, "nvme", -1);

    cannotOpen(CONSENT)
        .hasMessageContaining("it is bound to the driver nvme")
        .hasMessageEndingWith("run 'gatun bind " + ADDRESS + " --driver uio_pci_generic' as root");
  }

  @Test
  void aMissingDevice() {
    cannotOpen(CONSENT).hasMessageContaining("there is no such device");
  }

  @Test
  void aDeviceThatLosesItsFiles() {
    machine.device(ADDRESS, "", -1);

    cannotOpen(CONSENT).hasMessageContaining("can't open").hasMessageContaining("enable");
  }

  @Test
  void namesHaveAnAddressWithOrWithoutTheConsent() {
    PciAddress address = PciAddress.parse(ADDRESS);

    assertThat(SysfsBackend.unprotected(address)).hasToString("sysfs:" + CONSENT);
    assertThat(SysfsBackend.address(new DeviceName("sysfs", CONSENT))).isEqualTo(address);
    assertThat(SysfsBackend.address(new DeviceName("sysfs", ADDRESS))).isEqualTo(address);
  }

  private AbstractThrowableAssert<?, ?> cannotOpen(String text) {
    return assertThatThrownBy(() -> backend.open(new DeviceName("sysfs", text)))
        .isInstanceOf(DeviceUnavailableException.class)
        .hasMessageStartingWith("sysfs:" + text + ": ")
        .hasMessageNotContaining("\n");
  }
}
