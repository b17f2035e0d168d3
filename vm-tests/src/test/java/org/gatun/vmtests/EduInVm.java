package org.gatun.vmtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import org.gatun.driver.edu.Completion;
import org.gatun.driver.edu.EduDevice;
import org.gatun.driver.edu.EduOptions;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.PciDevice;
import org.gatun.vmtests.VfioDevices.Taken;
import org.gatun.vmtests.inside.KernelLog;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The edu driver on QEMU's device through VFIO. */
@InVm
class EduInVm {
  /** Emulated by a busy host. */
  private static final EduOptions OPTIONS =
      EduOptions.defaults().withTimeout(Duration.ofMinutes(1));

  @RegisterExtension final VfioDevices devices = new VfioDevices();

  @ParameterizedTest
  @EnumSource(names = "MSIX", mode = EnumSource.Mode.EXCLUDE)
  void computesFactorials(Completion completion) {
    try (PciDevice device = devices.device("edu").open();
        EduDevice edu = EduDevice.open(device, OPTIONS.withCompletion(completion))) {
      int expected = 1;
      for (int n = 1; n <= 12; n++) {
        expected *= n;
        assertThat(edu.factorial(n)).as("%d!", n).isEqualTo(expected);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = "MSIX", mode = EnumSource.Mode.EXCLUDE)
  void movesDataThereAndBack(Completion completion) {
    try (PciDevice device = devices.device("edu").open();
        EduDevice edu = EduDevice.open(device, OPTIONS.withCompletion(completion));
        DmaBuffer target = device.dma().allocate(4096, 4096)) {
      byte[] data = new byte[EduDevice.MAX_TRANSFER];
      new Random(11).nextBytes(data);

      edu.roundTrip(data);
      edu.dmaWrite(target.busAddress(), 0, data.length);

      byte[] arrived = new byte[data.length];
      target.copyOut(0, arrived);
      assertThat(arrived).isEqualTo(data);
    }
  }

  @Test
  void dmaToWhatIsNotMappedIsAFaultAndTheDriverSaysSo() throws Exception {
    Taken taken = devices.device("edu");
    KernelLog log = KernelLog.mark();
    try (PciDevice device = taken.open();
        EduDevice edu = EduDevice.open(device, OPTIONS);
        DmaBuffer neighbour = device.dma().allocate(4096, 4096)) {
      long unmapped = (256 << 20) - 4096;
      assertThat(neighbour.busAddress()).isNotEqualTo(unmapped);
      byte[] data = new byte[64];
      Arrays.fill(data, (byte) 0x5a);

      assertThatExceptionOfType(DeviceProtocolException.class)
          .isThrownBy(() -> edu.verify(unmapped, data))
          .withMessageContaining(taken.name().toString())
          .withMessageContaining("0x%x", unmapped);
      IommuFaults.await(log, taken.address(), DmaDirection.TO_DEVICE, unmapped);

      edu.dmaWrite(unmapped, 0, data.length);
      IommuFaults.await(log, taken.address(), DmaDirection.FROM_DEVICE, unmapped);
      byte[] untouched = new byte[4096];
      neighbour.copyOut(0, untouched);
      assertThat(untouched).containsOnly(0);
    }
  }
}
