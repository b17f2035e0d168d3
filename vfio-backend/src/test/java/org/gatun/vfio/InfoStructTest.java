package org.gatun.vfio;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import org.gatun.pci.Bar.Access;
import org.gatun.pci.Bar.Range;
import org.gatun.pci.BusRange;
import org.gatun.vfio.common.InfoStruct;
import org.gatun.vfio.common.Region;
import org.gatun.vfio.common.Vfio;
import org.junit.jupiter.api.Test;

/** What the kernel says of regions and of the IOMMU, sound and not. */
class InfoStructTest {
  private static final long PAGE = 4096;
  private static final int PGSIZES_AND_CAPS = 3;
  private static final int IOMMU_CAPS = 24;
  private static final int REGION_CAPS = 32;
  private static final int READ_WRITE_MMAP_CAPS = 15;

  private final MemorySegment bytes = Arena.ofAuto().allocate(512, 8);

  @Test
  void rangesAreInWholePagesInOrder() {
    iommu(PGSIZES_AND_CAPS, 0xfffff000L, 88);
    capability(88, 3, IOMMU_CAPS); // of another kind
    capability(IOMMU_CAPS, 1, 0);
    putInt(IOMMU_CAPS + 8, 3);
    putRange(40, 0xfef00000L, (1L << 39) - 1);
    putRange(56, 1, 0xfedfffffL);
    putRange(72, 0xfffffffffffff000L, -1);

    IommuInfo info = iommuInfo();

    assertThat(info.pageSize()).isEqualTo(PAGE);
    assertThat(info.ranges())
        .containsExactly(
            new BusRange(0x1000, 0xfedfffffL),
            new BusRange(0xfef00000L, (1L << 39) - 1),
            new BusRange(0xfffffffffffff000L, -1));
  }

  @Test
  void rangesThatMakeNoSenseAreLeftOut() {
    iommu(PGSIZES_AND_CAPS, 0xfffff000L, IOMMU_CAPS);
    capability(IOMMU_CAPS, 1, 0);
    putInt(IOMMU_CAPS + 8, 5);
    putRange(40, 0x10000, 0xfff); // ends before it begins
    putRange(56, 5, 0xfff); // no whole page
    putRange(72, -5, -1); // no whole page, at the very end
    putRange(88, 0x20000, 0x2ffff);
    putRange(104, 0x28000, 0x30fff); // overlaps

    assertThat(iommuInfo().ranges()).containsExactly(new BusRange(0x20000, 0x30fff));
  }

  @Test
  void aCountThatGoesBeyondTheEndIsCut() {
    iommu(PGSIZES_AND_CAPS, 0xfffff000L, IOMMU_CAPS);
    capability(IOMMU_CAPS, 1, 0);
    putInt(IOMMU_CAPS + 8, -1);
    putRange(40, 0x20000, 0x2ffff);

    assertThat(iommuInfo().ranges()).contains(new BusRange(0x20000, 0x2ffff));
  }

  @Test
  void aKernelThatSaysNothingGivesTheUsual() {
    iommu(0, 0, 0);

    assertThat(iommuInfo().pageSize()).isEqualTo(PAGE);
    assertThat(iommuInfo().ranges()).hasSize(2);
  }

  @Test
  void anIommuWithLargePagesOnly() {
    iommu(1, 0x40010000L, 0);

    assertThat(iommuInfo().pageSize()).isEqualTo(0x10000);
  }

  @Test
  void chainsThatLeadAstrayEnd() {
    for (int next : new int[] {IOMMU_CAPS, 1, 8, 26, 508, 512, 1 << 30, -8, Integer.MIN_VALUE}) {
      iommu(PGSIZES_AND_CAPS, 0xfffff000L, IOMMU_CAPS);
      capability(IOMMU_CAPS, 77, next);
      assertThat(iommuInfo().ranges()).hasSize(2);

      iommu(PGSIZES_AND_CAPS, 0xfffff000L, next);
      capability(IOMMU_CAPS, 77, 40);
      capability(40, 77, IOMMU_CAPS);
      assertThat(iommuInfo().ranges()).hasSize(2);
    }
  }

  @Test
  void anyBytesGiveSomething() {
    long seed = 20260101;
    Random random = new Random(seed);
    byte[] noise = new byte[(int) bytes.byteSize()];
    for (int i = 0; i < 20_000; i++) {
      random.nextBytes(noise);
      MemorySegment.copy(noise, 0, bytes, ValueLayout.JAVA_BYTE, 0, noise.length);
      // Else the walk would rarely begin.
      putInt(16, 24 + 4 * random.nextInt(16));
      IommuInfo info = iommuInfo();
      for (int j = 1; j < info.ranges().size(); j++) {
        long before = info.ranges().get(j - 1).last();
        assertThat(Long.compareUnsigned(before, info.ranges().get(j).first()))
            .as("seed %d, round %d", seed, i)
            .isNegative();
      }
      putInt(12, 32 + 4 * random.nextInt(16));
      Region region = Region.of(new InfoStruct(Vfio.REGION_INFO, bytes), 0);
      assertCovers(region.size(), region.ranges(PAGE, List.of()));
    }
  }

  @Test
  void aRegionWithoutAreasIsMappedAsAWhole() {
    Region region = region(7, 0x4000, List.of());

    assertThat(region.ranges(PAGE, List.of())).containsExactly(direct(0, 0x4000));
  }

  @Test
  void theMsixTableIsNotMapped() {
    Region region = region(7, 0x4000, List.of());

    assertThat(region.ranges(PAGE, List.of(new Region.Area(0x2000, 65 * 16))))
        .containsExactly(direct(0, 0x2000), trapped(0x2000, 0x1000), direct(0x3000, 0x1000));
    assertThat(region.ranges(PAGE, List.of(new Region.Area(0x1ff0, 0x20))))
        .containsExactly(direct(0, 0x1000), trapped(0x1000, 0x2000), direct(0x3000, 0x1000));
    assertThat(region.ranges(PAGE, List.of(new Region.Area(0x9000, 0x20))))
        .containsExactly(direct(0, 0x4000));
  }

  @Test
  void sparseAreasAreCutToWholePages() {
    Region region =
        region(
            READ_WRITE_MMAP_CAPS,
            0x8000,
            List.of(
                new Region.Area(0x4800, 0x2000), // a page and two halves
                new Region.Area(0, 0x1000),
                new Region.Area(0x1000, 0x1000), // touches
                new Region.Area(0x7000, 0x10000), // beyond the end
                new Region.Area(0x6800, 0x100), // less than a page
                new Region.Area(-0x1000, 0x2000),
                new Region.Area(0x3000, -1)));

    assertThat(region.ranges(PAGE, List.of()))
        .containsExactly(
            direct(0, 0x2000),
            trapped(0x2000, 0x3000),
            direct(0x5000, 0x1000),
            trapped(0x6000, 0x1000),
            direct(0x7000, 0x1000));
  }

  @Test
  void whatIsSmallerThanAPageOrCannotBeWrittenIsTrapped() {
    assertThat(region(7, 0x100, List.of()).ranges(PAGE, List.of()))
        .containsExactly(trapped(0, 0x100));
    assertThat(region(5, 0x4000, List.of()).ranges(PAGE, List.of()))
        .containsExactly(trapped(0, 0x4000));
    assertThat(region(3, 0x4000, List.of()).ranges(PAGE, List.of()))
        .containsExactly(trapped(0, 0x4000));
  }

  private IommuInfo iommuInfo() {
    return IommuInfo.of(new InfoStruct(Vfio.IOMMU_TYPE1_INFO, bytes), PAGE);
  }

  private void iommu(int flags, long pageSizes, int capabilities) {
    bytes.fill((byte) 0);
    putInt(4, flags);
    bytes.set(ValueLayout.JAVA_LONG, 8, pageSizes);
    putInt(16, capabilities);
  }

  private Region region(int flags, long size, List<Region.Area> areas) {
    bytes.fill((byte) 0);
    putInt(4, flags);
    bytes.set(ValueLayout.JAVA_LONG, 16, size);
    if (!areas.isEmpty()) {
      putInt(12, REGION_CAPS);
      capability(REGION_CAPS, 1, 0);
      putInt(REGION_CAPS + 8, areas.size());
      for (int i = 0; i < areas.size(); i++) {
        putRange(REGION_CAPS + 16 + 16 * i, areas.get(i).offset(), areas.get(i).size());
      }
    }
    return Region.of(new InfoStruct(Vfio.REGION_INFO, bytes), 0);
  }

  private void capability(int at, int id, int next) {
    putInt(at, id | 1 << 16);
    putInt(at + 4, next);
  }

  private void putRange(int at, long first, long last) {
    bytes.set(ValueLayout.JAVA_LONG_UNALIGNED, at, first);
    bytes.set(ValueLayout.JAVA_LONG_UNALIGNED, at + 8, last);
  }

  private void putInt(int at, int value) {
    bytes.set(ValueLayout.JAVA_INT, at, value);
  }

  private static void assertCovers(long size, List<Range> ranges) {
    long at = 0;
    for (Range range : ranges) {
      assertThat(range.offset()).isEqualTo(at);
      at += range.length();
    }
    assertThat(at).isEqualTo(size);
  }

  private static Range direct(long offset, long length) {
    return new Range(offset, length, Access.DIRECT);
  }

  private static Range trapped(long offset, long length) {
    return new Range(offset, length, Access.TRAPPED);
  }
}
