package org.gatun.vfio;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.gatun.nativeaccess.Fd;
import org.gatun.pci.BusRange;
import org.gatun.vfio.common.InfoStruct;
import org.gatun.vfio.common.Vfio;

/**
 * What an IOMMU can do.
 *
 * @param pageSize the smallest one, in bytes
 * @param ranges the bus addresses that can be mapped, ascending, in whole pages, apart from each
 *     other
 */
record IommuInfo(long pageSize, List<BusRange> ranges) {
  /** Where the kernel does not say: what all IOMMUs that this can run on have. */
  private static final List<BusRange> DEFAULT_RANGES =
      List.of(new BusRange(0, 0xfedf_ffffL), new BusRange(0x1_0000_0000L, (1L << 39) - 1));

  IommuInfo {
    ranges = List.copyOf(ranges);
  }

  static IommuInfo query(Fd container, long systemPageSize) {
    try (Arena arena = Arena.ofConfined()) {
      return of(
          InfoStruct.query(container, Vfio.IOMMU_GET_INFO, Vfio.IOMMU_TYPE1_INFO, 0, arena),
          systemPageSize);
    }
  }

  static IommuInfo of(InfoStruct info, long systemPageSize) {
    int flags = info.getInt("flags");
    long sizes = (flags & Vfio.IOMMU_INFO_PGSIZES) != 0 ? info.getLong("iova_pgsizes") : 0;
    long pageSize = Math.max(systemPageSize, Long.lowestOneBit(sizes & ~(systemPageSize - 1)));
    int chain = (flags & Vfio.IOMMU_INFO_CAPS) != 0 ? info.getInt("cap_offset") : 0;
    List<BusRange> ranges =
        info.capability(chain, Vfio.IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, Vfio.IOVA_RANGE_CAP.byteSize())
            .map(IommuInfo::ranges)
            .orElse(DEFAULT_RANGES);
    return new IommuInfo(pageSize, normalized(ranges, pageSize));
  }

  private static List<BusRange> ranges(MemorySegment capability) {
    long claimed =
        Integer.toUnsignedLong(
            capability.get(JAVA_INT, Vfio.offset(Vfio.IOVA_RANGE_CAP, "nr_iovas")));
    long size = Vfio.IOVA_RANGE.byteSize();
    long there = (capability.byteSize() - Vfio.IOVA_RANGE_CAP.byteSize()) / size;
    List<BusRange> ranges = new ArrayList<>();
    for (long i = 0; i < Math.min(claimed, there); i++) {
      long at = Vfio.IOVA_RANGE_CAP.byteSize() + i * size;
      long start = capability.get(JAVA_LONG_UNALIGNED, at + Vfio.offset(Vfio.IOVA_RANGE, "start"));
      long end = capability.get(JAVA_LONG_UNALIGNED, at + Vfio.offset(Vfio.IOVA_RANGE, "end"));
      if (Long.compareUnsigned(start, end) <= 0) {
        ranges.add(new BusRange(start, end));
      }
    }
    return ranges;
  }

  /** In whole pages, in order, and without overlaps. */
  private static List<BusRange> normalized(List<BusRange> ranges, long pageSize) {
    List<BusRange> result = new ArrayList<>();
    ranges.stream()
        .map(range -> wholePages(range, pageSize))
        .flatMap(Optional::stream)
        .sorted(Comparator.comparing(BusRange::first, Long::compareUnsigned))
        .forEach(
            range -> {
              if (!result.isEmpty()
                  && Long.compareUnsigned(range.first(), result.getLast().last()) <= 0) {
                BusRange overlapped = result.removeLast();
                result.add(
                    new BusRange(overlapped.first(), maxUnsigned(overlapped.last(), range.last())));
              } else {
                result.add(range);
              }
            });
    return result;
  }

  private static Optional<BusRange> wholePages(BusRange range, long pageSize) {
    long inPage = pageSize - 1;
    long first = (range.first() + inPage) & -pageSize;
    boolean beyondAll = first == 0 && range.first() != 0;
    boolean lastIsWhole = (range.last() & inPage) == inPage;
    boolean belowAll = !lastIsWhole && Long.compareUnsigned(range.last(), pageSize) < 0;
    if (beyondAll || belowAll) {
      return Optional.empty();
    }
    long last = lastIsWhole ? range.last() : (range.last() & -pageSize) - 1;
    return Long.compareUnsigned(first, last) < 0
        ? Optional.of(new BusRange(first, last))
        : Optional.empty();
  }

  private static long maxUnsigned(long a, long b) {
    return Long.compareUnsigned(a, b) >= 0 ? a : b;
  }
}
