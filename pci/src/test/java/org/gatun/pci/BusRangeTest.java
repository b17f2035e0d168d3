package org.gatun.pci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;

class BusRangeTest {
  @Test
  void addressesAreUnsigned() {
    BusRange all = new BusRange(0, -1);

    assertThat(all.contains(0x8000_0000_0000_0000L, 1)).isTrue();
    assertThat(all.contains(-1, 1)).isTrue();
    assertThat(all.contains(-1, 2)).isFalse();
    assertThatIllegalArgumentException().isThrownBy(() -> new BusRange(-1, 0));
  }

  @Test
  void containsOnlyWhatIsWhollyInside() {
    BusRange range = new BusRange(0x1000, 0x2fff);

    assertThat(range.contains(0x1000, 0x2000)).isTrue();
    assertThat(range.contains(0x1000, 0x2001)).isFalse();
    assertThat(range.contains(0xfff, 2)).isFalse();
    assertThat(range.contains(0x3000, 1)).isFalse();
    assertThat(range.contains(0x1000, Long.MAX_VALUE)).isFalse();
  }

  @Test
  void aPartOfABarContainsOnlyWhatIsWhollyInside() {
    Bar.Range range = new Bar.Range(0x1000, 0x1000, Bar.Access.DIRECT);

    assertThat(range.contains(0x1000, 0x1000)).isTrue();
    assertThat(range.contains(0x1ffc, 4)).isTrue();
    assertThat(range.contains(0x1ffc, 8)).isFalse();
    assertThat(range.contains(0xffc, 8)).isFalse();
    assertThat(range.contains(0x1000, 0)).isFalse();
    assertThat(range.contains(0x1000, -4)).isFalse();
    assertThat(range.contains(Long.MAX_VALUE, Long.MAX_VALUE)).isFalse();
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Bar.Range(Long.MAX_VALUE, 1, Bar.Access.DIRECT));
    assertThatIllegalArgumentException().isThrownBy(() -> new Bar.Range(0, 0, Bar.Access.DIRECT));
  }
}
