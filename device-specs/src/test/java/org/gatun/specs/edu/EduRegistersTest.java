package org.gatun.specs.edu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class EduRegistersTest {
  /** What QEMU's device reads at 0. */
  private static final int QEMU = 0x010000ed;

  @Test
  void readsTheIdentification() {
    assertThat(EduRegisters.isEdu(QEMU)).isTrue();
    assertThat(EduRegisters.majorVersion(QEMU)).isEqualTo(1);
    assertThat(EduRegisters.minorVersion(0xfe7f00ed)).isEqualTo(0x7f);
    assertThat(EduRegisters.majorVersion(0xfe7f00ed)).isEqualTo(0xfe);
  }

  @Test
  void aDeviceThatIsGoneOrAnotherIsNotEdu() {
    assertThat(EduRegisters.isEdu(-1)).isFalse();
    assertThat(EduRegisters.isEdu(0)).isFalse();
    assertThat(EduRegisters.isEdu(0x010001ed)).isFalse();
  }

  @Test
  void buildsTheIdentification() {
    assertThat(EduRegisters.identification(1, 0)).isEqualTo(QEMU);
    assertThatThrownBy(() -> EduRegisters.identification(256, 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("256.0");
  }
}
