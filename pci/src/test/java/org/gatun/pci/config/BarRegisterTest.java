package org.gatun.pci.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BarRegisterTest {
  private static final int BAR0 = ConfigRegisters.BAR0;

  @Test
  void decodesEachKind() {
    MemoryConfig config =
        new MemoryConfig(256)
            .register(BAR0, 0xfebf_0000, 0xfff0_0000)
            .register(BAR0 + 4, 0xe000_000c, 0xf000_0000)
            .register(BAR0 + 8, 0x0000_0080, -1)
            .register(BAR0 + 12, 0x0000_c041, 0xffff_ffe0)
            .register(BAR0 + 20, 0xfeb0_0008, 0xffff_f000);

    assertThat(BarRegister.decode(config))
        .containsExactly(
            new BarRegister(0, false, false, false, 0xfebf_0000L, 0),
            new BarRegister(1, false, true, true, 0x80_e000_0000L, 0),
            new BarRegister(3, true, false, false, 0xc040, 0),
            new BarRegister(5, false, false, true, 0xfeb0_0000L, 0));
    assertThat(config.written).isEmpty();
  }

  @Test
  void sizesEachKindAndPutsValuesBack() {
    MemoryConfig config =
        new MemoryConfig(256)
            .register(BAR0, 0xfeb0_0000, 0xfff0_0000)
            .register(BAR0 + 4, 0xe000_000c, 0xf000_0000)
            .register(BAR0 + 8, 0x0000_0080, -1)
            .register(BAR0 + 12, 0x0000_c041, 0xffff_ffe0)
            .register(BAR0 + 20, 0x8, 0xffff_f000);
    byte[] before = config.bytes.array().clone();

    assertThat(BarRegister.size(config))
        .containsExactly(
            new BarRegister(0, false, false, false, 0xfeb0_0000L, 0x10_0000),
            new BarRegister(1, false, true, true, 0x80_e000_0000L, 0x1000_0000),
            new BarRegister(3, true, false, false, 0xc040, 32),
            new BarRegister(5, false, false, true, 0, 0x1000));
    assertThat(config.bytes.array()).isEqualTo(before);
  }

  @Test
  void sizesABarOf4GiBAndMore() {
    MemoryConfig config =
        new MemoryConfig(256).register(BAR0, 0x4, 0).register(BAR0 + 4, 0x8, 0xffff_fff8);

    assertThat(BarRegister.size(config))
        .containsExactly(new BarRegister(0, false, true, false, 0x8_0000_0000L, 0x8_0000_0000L));
  }

  @Test
  void sizesABarOf2GiB() {
    MemoryConfig config = new MemoryConfig(256).register(BAR0, 0, 0x8000_0000);

    assertThat(BarRegister.size(config))
        .containsExactly(new BarRegister(0, false, false, false, 0, 0x8000_0000L));
  }

  @Test
  void anIoBarMayLackItsUpperHalf() {
    MemoryConfig config = new MemoryConfig(256).register(BAR0, 0xc001, 0x0000_ff00);

    assertThat(BarRegister.size(config))
        .containsExactly(new BarRegister(0, true, false, false, 0xc000, 256));
  }

  @Test
  void a64BitRegisterInTheLastPlaceIsNonsense() {
    MemoryConfig config = new MemoryConfig(256).register(BAR0 + 20, 0xfeb0_0004, 0xffff_f000);

    assertThat(BarRegister.decode(config)).isEmpty();
    assertThat(BarRegister.size(config)).isEmpty();
    assertThat(config.bytes.getInt(BAR0 + 20)).isEqualTo(0xfeb0_0004);
    assertThat(config.written).doesNotContain(BAR0 + 24);
  }

  @Test
  void aRegisterWithoutAnyAddressBitIsNotThere() {
    MemoryConfig config =
        new MemoryConfig(256)
            .register(BAR0, 0x1, 0)
            .register(BAR0 + 4, 0x8, 0)
            .register(BAR0 + 8, 0x4, 0)
            .register(BAR0 + 12, 0, 0)
            .register(BAR0 + 16, 0, 0xffff_f000);

    assertThat(BarRegister.size(config)).extracting(BarRegister::index).containsExactly(4);
  }

  @Test
  void aDeviceThatStopsAnsweringHasNoBars() {
    MemoryConfig config = new MemoryConfig(256).register(BAR0, 0xfeb0_0000, -1);

    // The type bits are wired: ones there mean that nothing answers.
    assertThat(BarRegister.size(config)).isEmpty();
  }

  @Test
  void aBridgeHasTwo() {
    MemoryConfig config =
        new MemoryConfig(256)
            .register(BAR0, 0xfeb0_0000, 0xffff_f000)
            .register(BAR0 + 8, 0x0001_0100, -1);
    config.bytes.put(ConfigRegisters.HEADER_TYPE, (byte) 1);

    assertThat(BarRegister.size(config)).extracting(BarRegister::index).containsExactly(0);
    assertThat(config.written).doesNotContain(BAR0 + 8);
  }

  @Test
  void whateverADeviceSaysSizesArePowersOfTwo() {
    Random random = new Random(0xba5);
    for (int round = 0; round < 5000; round++) {
      MemoryConfig config = new MemoryConfig(256);
      for (int i = 0; i < 6; i++) {
        config.register(BAR0 + 4 * i, random.nextInt(), random.nextInt() << random.nextInt(32));
      }
      byte[] before = config.bytes.array().clone();

      List<BarRegister> bars = BarRegister.size(config);

      assertThat(bars)
          .as("round %d", round)
          .allSatisfy(b -> assertThat(Long.bitCount(b.size())).isEqualTo(1));
      assertThat(config.bytes.array()).isEqualTo(before);
    }
  }
}
