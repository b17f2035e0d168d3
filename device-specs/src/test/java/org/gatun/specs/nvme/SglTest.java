package org.gatun.specs.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;

@NullMarked
class SglTest {
  /** NVMe 1.4, figures 113 to 119: length in bytes 8 to 11, type and subtype in byte 15. */
  @Test
  void fieldsAreWhereTheSpecificationHasThem() {
    assertThat(Sgl.secondHalf(Sgl.DATA_BLOCK, 0x1234)).isEqualTo(0x1234);
    assertThat(Sgl.secondHalf(Sgl.LAST_SEGMENT, 0xffff_fff0L)).isEqualTo(0x3000_0000_ffff_fff0L);
    long half = 0xa5ff_ffff_8000_0001L;
    assertThat(Sgl.type(half)).isEqualTo(0xa);
    assertThat(Sgl.subtype(half)).isEqualTo(5);
    assertThat(Sgl.length(half)).isEqualTo(0x8000_0001L);
  }

  @Test
  void refusesWhatDoesNotFit() {
    assertThatThrownBy(() -> Sgl.secondHalf(Sgl.DATA_BLOCK, 1L << 32)).hasMessageContaining("32");
    assertThatThrownBy(() -> Sgl.secondHalf(Sgl.DATA_BLOCK, -1)).hasMessageContaining("-1");
    assertThatThrownBy(() -> Sgl.secondHalf(16, 0)).hasMessageContaining("16");
  }
}
