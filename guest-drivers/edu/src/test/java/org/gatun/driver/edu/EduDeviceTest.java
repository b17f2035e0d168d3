package org.gatun.driver.edu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import java.util.Random;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.simulated.IommuFault;
import org.gatun.simulated.SimulatedBus;
import org.gatun.testkit.Device;
import org.gatun.testkit.SimulatedPci;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The driver on a sound device; {@link EduFaultsTest} has the others. */
@SimulatedPci
class EduDeviceTest {
  private static final int PAGE = 4096;

  private final SimulatedBus bus;
  private final PciDevice device;
  private final EduOptions options;

  EduDeviceTest(SimulatedBus bus, @Device("edu") PciDevice device, TimeSource time) {
    this.bus = bus;
    this.device = device;
    this.options = EduOptions.defaults().withTime(time);
  }

  private EduDevice open(Completion completion) {
    return EduDevice.open(device, options.withCompletion(completion));
  }

  @Test
  void saysWhatItIs() {
    try (EduDevice edu = open(Completion.POLL)) {
      assertThat(edu.name()).isEqualTo(device.name());
      assertThat(edu.version()).isEqualTo("1.0");
      edu.checkLiveness();
    }
  }

  @ParameterizedTest
  @EnumSource(names = "MSIX", mode = EnumSource.Mode.EXCLUDE)
  void computesFactorials(Completion completion) {
    try (EduDevice edu = open(completion)) {
      int expected = 1;
      for (int n = 0; n <= 40; n++) {
        expected *= Math.max(n, 1);
        assertThat(edu.factorial(n)).as("%d!", n).isEqualTo(expected);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = "MSIX", mode = EnumSource.Mode.EXCLUDE)
  void movesBytesBothWays(Completion completion) {
    Random random = new Random(3);
    try (EduDevice edu = open(completion)) {
      for (int length : new int[] {1, 2, 511, EduDevice.MAX_TRANSFER}) {
        byte[] data = new byte[length];
        random.nextBytes(data);
        edu.roundTrip(data);
      }
    }
    assertThat(bus.iommu().faultCount()).isZero();
  }

  @Test
  void movesBytesToWhereItIsTold() {
    try (EduDevice edu = open(Completion.MSI);
        DmaBuffer from = device.dma().allocate(PAGE, PAGE);
        DmaBuffer to = device.dma().allocate(PAGE, PAGE)) {
      from.copyIn(100, new byte[] {1, 2, 3, 4, 5});
      edu.dmaRead(from.busAddress() + 100, 7, 5);
      edu.dmaWrite(to.busAddress() + 200, 8, 4);

      byte[] arrived = new byte[6];
      to.copyOut(199, arrived);
      assertThat(arrived).containsExactly(0, 2, 3, 4, 5, 0);
      edu.verify(from.busAddress() + 100, new byte[] {1, 2, 3, 4, 5});
    }
  }

  @Test
  void saysWhichByteIsWrong() {
    try (EduDevice edu = open(Completion.POLL);
        DmaBuffer from = device.dma().allocate(PAGE, PAGE)) {
      from.copyIn(0, new byte[] {1, 2, 3, 4});

      assertThatExceptionOfType(DeviceProtocolException.class)
          .isThrownBy(() -> edu.verify(from.busAddress(), new byte[] {1, 2, 9, 4}))
          .withMessageContaining("simulated:edu")
          .withMessageContaining("bus address 0x" + Long.toHexString(from.busAddress()))
          .withMessageContaining("offset 2")
          .withMessageContaining("0x03 and not 0x09");
    }
  }

  @ParameterizedTest
  @EnumSource(names = "MSIX", mode = EnumSource.Mode.EXCLUDE)
  void whatIsNotMappedDoesNotArrive(Completion completion) {
    byte[] data = {1, 2, 3, 4};
    try (EduDevice edu = open(completion)) {
      DmaBuffer gone = device.dma().allocate(PAGE, PAGE);
      long address = gone.busAddress();
      gone.copyIn(0, data);
      edu.verify(address, data);
      gone.close();

      assertThatExceptionOfType(DeviceProtocolException.class)
          .isThrownBy(() -> edu.verify(address, data))
          .withMessageContaining("bus address 0x" + Long.toHexString(address))
          .withMessageContaining("offset 0");
      assertThat(bus.iommu().faults())
          .containsExactly(
              new IommuFault(device.name(), address, data.length, DmaDirection.TO_DEVICE));
      edu.dmaWrite(address, 0, 4);
      assertThat(bus.iommu().faultCount()).isEqualTo(2);
      edu.roundTrip(data);
    }
  }

  @Test
  void transfersThatTheDeviceCannotMakeAreRefused() {
    try (EduDevice edu = open(Completion.POLL)) {
      int most = EduDevice.MAX_TRANSFER;
      long top = EduDevice.MAX_BUS_ADDRESS;
      long[][] bad = {
        {0, 0, 0},
        {0, 0, -1},
        {0, 0, most + 1},
        {0, 1, most},
        {0, most, 1},
        {0, -1, 1},
        {0, Integer.MAX_VALUE, 1},
        {0, 0, Integer.MAX_VALUE},
        {-1, 0, 1},
        {top + 1, 0, 1},
        {top, 0, 2},
        {Long.MAX_VALUE, 0, 1}
      };
      for (long[] t : bad) {
        assertThatIllegalArgumentException()
            .isThrownBy(() -> edu.dmaRead(t[0], (int) t[1], (int) t[2]));
        assertThatIllegalArgumentException()
            .isThrownBy(() -> edu.dmaWrite(t[0], (int) t[1], (int) t[2]));
      }
      assertThatIllegalArgumentException().isThrownBy(() -> edu.roundTrip(new byte[0]));
      assertThatIllegalArgumentException().isThrownBy(() -> edu.roundTrip(new byte[most + 1]));
      assertThatIllegalArgumentException().isThrownBy(() -> edu.factorial(-1));
      edu.dmaWrite(top - 3, most - 4, 4);
    }
  }

  @Test
  void interruptsThatTheDeviceLacksAreRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> open(Completion.MSIX))
        .withMessageContaining("no MSIX");
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  @Test
  void closeGivesAllBackAndStopsTheDevice() {
    EduDevice edu = open(Completion.MSI);
    edu.close();
    edu.close();

    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
    assertThat(device.config().read16(ConfigRegisters.COMMAND) & ConfigRegisters.COMMAND_BUS_MASTER)
        .isZero();
    assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(() -> edu.factorial(3));
    assertThatExceptionOfType(DeviceGoneException.class)
        .isThrownBy(() -> edu.roundTrip(new byte[1]));
    try (EduDevice again = open(Completion.INTX)) {
      assertThat(again.factorial(3)).isEqualTo(6);
    }
  }

  @Test
  void theDeviceMayGoFirst() {
    try (EduDevice edu = open(Completion.MSI)) {
      bus.unplug(device.name());

      assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(() -> edu.factorial(3));
    }
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  @Test
  void aTimeoutIsMoreThanNothing() {
    assertThatIllegalArgumentException().isThrownBy(() -> options.withTimeout(Duration.ZERO));
  }
}
