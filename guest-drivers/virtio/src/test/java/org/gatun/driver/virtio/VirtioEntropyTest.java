package org.gatun.driver.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.testkit.Device;
import org.gatun.testkit.SimulatedPci;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@SimulatedPci
class VirtioEntropyTest {
  private final PciDevice device;
  private final VirtioOptions options;

  VirtioEntropyTest(@Device("virtio-rng,seed=5") PciDevice device, TimeSource time) {
    this.device = device;
    this.options = VirtioOptions.defaults().withTime(time);
  }

  @ParameterizedTest
  @EnumSource
  void givesAsMuchAsIsWanted(Completion completion) {
    byte[] bytes = new byte[10_000];
    byte[] more = new byte[10_000];
    try (VirtioEntropy entropy = VirtioEntropy.open(device, options.withCompletion(completion))) {
      entropy.fill(bytes);
      entropy.fill(more);
      entropy.fill(new byte[0]);
    }
    assertThat(bytes).isNotEqualTo(more);
    long zeros = 0;
    for (byte b : bytes) {
      zeros += b == 0 ? 1 : 0;
    }
    assertThat(zeros).isLessThan(100);
  }
}
