package org.gatun.driver.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.specs.virtio.VirtioBlock;
import org.gatun.specs.virtio.VirtioCommon;
import org.gatun.specs.virtio.VirtioNetwork;
import org.gatun.specs.virtio.VirtioPci;
import org.gatun.testkit.Device;
import org.gatun.testkit.SimulatedPci;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a device shows of itself: as little as it may, or less. */
@SimulatedPci
class VirtioStructuresTest {
  private static final int SECTOR = VirtioBlock.SECTOR;

  private final PciDevice device;
  private final VirtioOptions options;

  VirtioStructuresTest(@Device("virtio-blk,size=1M") PciDevice device, TimeSource time) {
    this.device = device;
    this.options = VirtioOptions.defaults().withTime(time).withTimeout(Duration.ofSeconds(5));
  }

  /** The device without these of the lower 32 features. */
  private static TamperedDevice without(PciDevice device, long features) {
    return new TamperedDevice(device) {
      private long half;

      @Override
      long read(long mapped, long offset, long value) {
        boolean lower = half == 0;
        return mapped == VirtioCommon.SIZE && offset == VirtioCommon.DEVICE_FEATURE && lower
            ? value & ~features
            : value;
      }

      @Override
      long written(long mapped, long offset, long value) {
        if (mapped == VirtioCommon.SIZE && offset == VirtioCommon.DEVICE_FEATURE_SELECT) {
          half = value;
        }
        return value;
      }
    };
  }

  /** 4.1.4: its type may be the last byte of config space. */
  @ParameterizedTest
  @ValueSource(ints = {0xec, 0xf0, 0xfc})
  void aCapabilityThatEndsBehindConfigSpace(int at) {
    TamperedConfig config = new TamperedConfig(device);
    config.put(ConfigRegisters.CAPABILITIES_POINTER, at);
    int length = Math.min(VirtioPci.LONG_CAPABILITY_SIZE, ConfigRegisters.CONVENTIONAL_SIZE - at);
    config.put(at, Capability.VENDOR_SPECIFIC, 0, Math.min(length, 16), VirtioPci.NOTIFY_CONFIG);
    assertThatExceptionOfType(DeviceProtocolException.class)
        .isThrownBy(() -> VirtioDisk.open(config.of(device), options))
        .withMessageContaining("it has no virtio structure of type 2");
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  @ParameterizedTest
  @CsvSource({"1, 15", "2, 19", "4, 15"})
  void aCapabilityThatSaysThatItIsShorter(int type, int length) {
    TamperedConfig config = new TamperedConfig(device);
    config.put(config.structure(type) + VirtioPci.LENGTH, length);
    assertThatExceptionOfType(DeviceProtocolException.class)
        .isThrownBy(() -> VirtioDisk.open(config.of(device), options))
        .withMessageContaining("it has no virtio structure of type " + type);
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  private static TamperedConfig ofConfiguration(PciDevice device, int bytes) {
    TamperedConfig config = new TamperedConfig(device);
    config.put(config.structure(VirtioPci.DEVICE_CONFIG) + VirtioPci.SIZE, bytes, 0, 0, 0);
    return config;
  }

  /** 2.5.1: fields are there as features are. */
  @ParameterizedTest
  @CsvSource({"36, 0x6000", "24, 0x6000", "40, 0x4000", "8, 0x6040", "52, 0"})
  void aDiskHasAsMuchConfigurationAsItsFeaturesNeed(int bytes, int without) {
    PciDevice small = ofConfiguration(device, bytes).of(without(device, without));
    try (VirtioDisk disk = VirtioDisk.open(small, options);
        DmaBuffer buffer = device.dma().allocate(4096, 4096)) {
      assertThat(disk.size()).isEqualTo(1 << 20);
      assertThat(disk.blockSize()).isEqualTo(SECTOR);
      disk.read(0, buffer, 0, SECTOR);
      assertThat(disk.discard(0, SECTOR)).isEqualTo((without & VirtioBlock.FEATURE_DISCARD) == 0);
      assertThat(disk.writeZeroes(0, SECTOR))
          .isEqualTo((without & VirtioBlock.FEATURE_WRITE_ZEROES) == 0);
    }
  }

  @Test
  void aDiskWithLessThanThatIsRefused() {
    PciDevice small = ofConfiguration(device, 36).of(device);
    assertThatExceptionOfType(DeviceProtocolException.class)
        .isThrownBy(() -> VirtioDisk.open(small, options))
        .withMessageContaining("it has no virtio structure of type 4 with 52 bytes");
    assertThat(device.usage()).isEqualTo(PciDevice.Usage.NONE);
  }

  @ParameterizedTest
  @CsvSource({"10, 0x8", "6, 0x10008", "0, 0x10028"})
  void aCardHasAsMuchConfigurationAsItsFeaturesNeed(
      int bytes, int without, @Device("virtio-net,cable=loop") PciDevice network) {
    PciDevice small = ofConfiguration(network, bytes).of(without(network, without));
    try (VirtioNetworkCard card = VirtioNetworkCard.open(small, options)) {
      assertThat(card.mtu()).isEqualTo(1500);
      assertThat(card.linkUp()).isTrue();
      assertThat(card.mac()[0])
          .isEqualTo((byte) ((without & VirtioNetwork.FEATURE_MAC) == 0 ? 0x52 : 0));
      byte[] frame = new byte[60];
      card.transmit(frame);
      assertThat(card.receive(Duration.ofSeconds(5))).isEqualTo(frame);
    }
  }

  @Test
  void aQueueThatIsTooSmallForARequest() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> VirtioDisk.open(device, options.withQueueSize(2)))
        .withMessageContaining("takes 3 entries of its queue, and the options say 2");
    try (VirtioDisk disk = VirtioDisk.open(device, options.withQueueSize(4))) {
      assertThat(disk.depth()).isEqualTo(4);
    }
  }

  /** 6.1: what a device offers of VIRTIO_F_ORDER_PLATFORM is taken. */
  @Test
  void theOrderOfThePlatformIsAccepted() {
    long bit = 1L << (36 - 32);
    boolean[] accepted = {false};
    PciDevice ordered =
        new TamperedDevice(device) {
          private long offeredHalf;
          private long acceptedHalf;

          @Override
          long read(long mapped, long offset, long value) {
            boolean upper = offset == VirtioCommon.DEVICE_FEATURE && offeredHalf == 1;
            return mapped == VirtioCommon.SIZE && upper ? value | bit : value;
          }

          @Override
          long written(long mapped, long offset, long value) {
            if (mapped != VirtioCommon.SIZE) {
              return value;
            }
            if (offset == VirtioCommon.DEVICE_FEATURE_SELECT) {
              offeredHalf = value;
            } else if (offset == VirtioCommon.DRIVER_FEATURE_SELECT) {
              acceptedHalf = value;
            } else if (offset == VirtioCommon.DRIVER_FEATURE && acceptedHalf == 1) {
              accepted[0] = (value & bit) != 0;
              return value & ~bit; // the simulated one does not offer it
            }
            return value;
          }
        };
    try (VirtioDisk disk = VirtioDisk.open(ordered, options)) {
      assertThat(disk.size()).isEqualTo(1 << 20);
      assertThat(accepted[0]).isTrue();
    }
  }
}
