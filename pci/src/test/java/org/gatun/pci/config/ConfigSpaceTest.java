package org.gatun.pci.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConfigSpaceTest {
  @ParameterizedTest
  @CsvSource({"0, 1", "255, 1", "254, 2", "252, 4", "3, 1"})
  void anAlignedAccessInsideIsGood(int offset, int width) {
    assertThatCode(() -> ConfigSpace.check(offset, width, 256)).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @CsvSource({
    "-1, 1",
    "256, 1",
    "255, 2",
    "254, 4",
    "253, 4",
    "1, 2",
    "2, 4",
    "0, 0",
    "0, 3",
    "0, 8",
    "0, -4",
    "2147483644, 4",
    "-2147483648, 4"
  })
  void anyOtherIsRefused(int offset, int width) {
    assertThatIllegalArgumentException().isThrownBy(() -> ConfigSpace.check(offset, width, 256));
  }

  @Test
  void idsAndClassAreReadFromTheHeader() {
    MemoryConfig config = new MemoryConfig(256);
    config.bytes.putInt(ConfigRegisters.VENDOR_ID, 0x0a80_8986);
    config.bytes.putInt(ConfigRegisters.REVISION_ID, 0x010802_f7);
    config.bytes.putInt(ConfigRegisters.SUBSYSTEM_VENDOR_ID, 0xfedc_8001);

    PciClass pciClass = PciClass.of(config);

    assertThat(PciId.of(config)).isEqualTo(new PciId(0x8986, 0xa80, 0x8001, 0xfedc));
    assertThat(pciClass).isEqualTo(new PciClass(0x010802)).hasToString("010802");
    assertThat(pciClass.base()).isEqualTo(1);
    assertThat(pciClass.subclass()).isEqualTo(8);
    assertThat(pciClass.programmingInterface()).isEqualTo(2);
  }

  @Test
  void aBridgeHasNoSubsystemThere() {
    MemoryConfig config = new MemoryConfig(256);
    config.bytes.put(ConfigRegisters.HEADER_TYPE, (byte) 0x81);
    config.bytes.putInt(ConfigRegisters.SUBSYSTEM_VENDOR_ID, 0xfedc_8001);

    assertThat(PciId.of(config)).isEqualTo(new PciId(0x1234, 0, 0, 0));
  }

  @Test
  void idsHave16BitsAndClasses24() {
    assertThatIllegalArgumentException().isThrownBy(() -> new PciId(0x10000, 0, 0, 0));
    assertThatIllegalArgumentException().isThrownBy(() -> new PciId(0, -1, 0, 0));
    assertThatIllegalArgumentException().isThrownBy(() -> new PciClass(0x1000000));
  }
}
