package org.gatun.pci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PciAddressTest {
  @ParameterizedTest
  @CsvSource({
    "0000:00:04.0, 0000:00:04.0",
    "00:1f.7, 0000:00:1f.7",
    "0000:FF:1F.0, 0000:ff:1f.0",
    "10000:01:00.0, 10000:01:00.0",
    "ffffffff:01:00.0, ffffffff:01:00.0"
  })
  void parses(String text, String canonical) {
    assertThat(PciAddress.parse(text)).hasToString(canonical);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "0000:00:20.0",
        "0000:00:04.8",
        "0000:0:04.0",
        "000:00:04.0",
        "0000:00:04",
        "100000000:00:04.0",
        "0000:00:04.0 ",
        "0000:00:04.0\n",
        "0000:-1:04.0",
        "0000:00:04.٠"
      })
  void refusesWhatIsNoAddress(String text) {
    assertThat(PciAddress.find(text)).isEmpty();
    assertThatIllegalArgumentException()
        .isThrownBy(() -> PciAddress.parse(text))
        .withMessageContaining("0000:00:04.0");
  }

  @Test
  void refusesPartsOutOfRange() {
    assertThatIllegalArgumentException().isThrownBy(() -> new PciAddress(0, 256, 0, 0));
    assertThatIllegalArgumentException().isThrownBy(() -> new PciAddress(0, 0, 32, 0));
    assertThatIllegalArgumentException().isThrownBy(() -> new PciAddress(0, 0, 0, 8));
    assertThatIllegalArgumentException().isThrownBy(() -> new PciAddress(0, -1, 0, 0));
  }

  @Test
  void sortsByDomainUnsignedThenBusDeviceFunction() {
    List<PciAddress> sorted =
        List.of(
            PciAddress.parse("0000:00:01.0"),
            PciAddress.parse("0000:00:01.1"),
            PciAddress.parse("0000:00:02.0"),
            PciAddress.parse("0000:01:00.0"),
            PciAddress.parse("0001:00:00.0"),
            PciAddress.parse("ffffffff:00:00.0"));

    assertThat(sorted.reversed().stream().sorted()).containsExactlyElementsOf(sorted);
  }
}
