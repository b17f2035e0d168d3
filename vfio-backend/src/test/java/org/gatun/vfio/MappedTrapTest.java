package org.gatun.vfio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.util.List;
import org.gatun.nativeaccess.Mapping;
import org.gatun.nativeaccess.Memfd;
import org.gatun.pci.Bar;
import org.gatun.pci.Bar.Access;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.Mmio;
import org.gatun.pci.spi.ResourceTracker;
import org.gatun.vfio.common.Region;
import org.gatun.vfio.common.VfioBar;
import org.junit.jupiter.api.Test;

/** BARs made of memory. */
class MappedTrapTest {
  private static final DeviceName DEVICE = new DeviceName("sysfs", "0000:01:00.0");
  private static final long PAGE = Mapping.pageSize();

  private final ResourceTracker tracker = new ResourceTracker(DEVICE);

  @Test
  void aTableIsHiddenAndTheRestOfItsPageIsNot() {
    List<Region.Area> table = List.of(new Region.Area(PAGE + 64, 32));
    Region region = region(4 * PAGE);
    try (Memfd memory = memory(4 * PAGE);
        MappedTrap trap = trap(memory, region, 0, table)) {
      Bar bar =
          new VfioBar(DEVICE, memory.fd(), region, Bar.Kind.MEMORY, false, table, tracker, trap);
      assertThat(bar.ranges())
          .extracting(Bar.Range::access)
          .containsExactly(Access.DIRECT, Access.TRAPPED, Access.DIRECT);
      memory.fd().writeAt(PAGE + 64, 8, 0x1122_3344_5566_7788L);
      try (Mmio page = bar.map(PAGE, PAGE);
          Mmio late = bar.map(PAGE + 96, 8)) {
        page.write32(60, 0x1234_5678);
        late.write16(0, 0xabcd);
        page.write32(64, 0);
        page.write8(95, 0);

        assertThat(page.read32(64)).isEqualTo(-1);
        assertThat(page.read8(95)).isEqualTo(0xff);
        assertThat(page.read64(88)).isEqualTo(-1L);
        assertThat(page.read16(96)).isEqualTo(0xabcd);
      }
      assertThat(memory.fd().readAt(PAGE + 60, 4)).isEqualTo(0x1234_5678);
      assertThat(memory.fd().readAt(PAGE + 64, 8)).isEqualTo(0x1122_3344_5566_7788L);
      assertThat(memory.fd().readAt(PAGE + 96, 2)).isEqualTo(0xabcd);
    }
  }

  @Test
  void aSmallBarSharesItsPageWithOthers() {
    Region region = region(256);
    try (Memfd memory = memory(PAGE)) {
      MappedTrap trap = trap(memory, region, 512, List.of());
      Bar bar =
          new VfioBar(
              DEVICE, memory.fd(), region, Bar.Kind.MEMORY, false, List.of(), tracker, trap);
      try (Mmio all = bar.map(0, 256)) {
        assertThat(all.isDirect()).isFalse();
        all.write32(252, 7);
        assertThatExceptionOfType(IndexOutOfBoundsException.class)
            .isThrownBy(() -> all.write32(256, 8));
        assertThatExceptionOfType(IndexOutOfBoundsException.class)
            .isThrownBy(() -> all.write32(-4, 8));
        assertThat(memory.fd().readAt(512 + 252, 4)).isEqualTo(7);
        assertThat(memory.fd().readAt(512 + 256, 4)).isZero();

        trap.close();
        assertThatExceptionOfType(DeviceGoneException.class).isThrownBy(() -> all.read32(0));
      }
    }
  }

  private static Region region(long size) {
    return new Region(2, true, true, size, 0, List.of(new Region.Area(0, size)));
  }

  private static MappedTrap trap(
      Memfd memory, Region region, long offsetInPage, List<Region.Area> hidden) {
    List<Bar.Range> trapped =
        region.ranges(PAGE, hidden).stream().filter(r -> r.access() == Access.TRAPPED).toList();
    return MappedTrap.map(DEVICE, memory.fd(), trapped, offsetInPage, hidden);
  }

  private static Memfd memory(long size) {
    Memfd memory = Memfd.create("gatun-bar");
    memory.resize(size);
    return memory;
  }
}
