package org.gatun.pci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceNameTest {
  @ParameterizedTest
  @ValueSource(
      strings = {"vfio:0000:00:04.0", "simulated:nvme,file=a:b.img,size=1G", "vfio-user:/run/x"})
  void writtenAsItWasRead(String text) {
    assertThat(DeviceName.parse(text)).hasToString(text);
  }

  @Test
  void theFirstColonEndsTheScheme() {
    assertThat(DeviceName.parse("vfio:0000:00:04.0"))
        .isEqualTo(new DeviceName("vfio", "0000:00:04.0"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", ":", "vfio", "vfio:", ":x", "Vfio:x", "9p:x", "-a:x", "v f:x", "ä:x", "a:b\n"})
  void refusesWhatIsNoName(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> DeviceName.parse(text));
  }

  @Test
  void saysHowToNameADevice() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> DeviceName.parse("nvme0"))
        .withMessageContaining("'nvme0' has no scheme")
        .withMessageContaining("vfio:0000:00:04.0");
  }
}
