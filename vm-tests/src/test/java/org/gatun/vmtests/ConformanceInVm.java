package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.List;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.testkit.PciConformanceContract;
import org.junit.jupiter.api.extension.RegisterExtension;

/** QEMU's devices behave as the simulated bus has to: for {@link ConformanceTest}. */
@InVm
class ConformanceInVm extends PciConformanceContract {
  @RegisterExtension final VfioDevices devices = new VfioDevices();

  @Override
  protected PciDevice nvme() {
    return devices.device("disk", "nvme").open();
  }

  @Override
  protected List<PciDevice> edus() {
    VfioDevices.Taken first = devices.device("edu0");
    VfioDevices.Taken last = devices.device("edu4");
    List<PciDevice> opened = List.of(first.open(), last.open());
    assertThat(line(first)).as("interrupt line").isEqualTo(line(last)).isNotEqualTo("0");
    return opened;
  }

  private static String line(VfioDevices.Taken device) {
    try {
      return Files.readString(device.sysfs().directory().resolve("irq")).strip();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  protected TimeSource time() {
    return TimeSource.system();
  }
}
