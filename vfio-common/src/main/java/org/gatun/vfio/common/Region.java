package org.gatun.vfio.common;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.gatun.nativeaccess.Fd;
import org.gatun.pci.Bar.Access;
import org.gatun.pci.Bar.Range;

/**
 * A region of a VFIO device: a BAR, or config space.
 *
 * @param size in bytes; 0 if the device has no such region
 * @param offset of its first byte in the device's descriptor
 * @param areas what can be mapped, in no order that counts; not checked yet
 */
public record Region(
    int index, boolean readable, boolean writable, long size, long offset, List<Area> areas) {
  /** More than any processor can address. */
  private static final long SIZE_LIMIT = 1L << 56;

  /** A part of a region, as the kernel said. */
  public record Area(long offset, long size) {}

  public Region {
    areas = List.copyOf(areas);
  }

  public static Region query(Fd device, int index) {
    try (Arena arena = Arena.ofConfined()) {
      return of(
          InfoStruct.query(device, Vfio.DEVICE_GET_REGION_INFO, Vfio.REGION_INFO, index, arena),
          index);
    }
  }

  public static Region of(InfoStruct info, int index) {
    int flags = info.getInt("flags");
    long size = info.getLong("size");
    long offset = info.getLong("offset");
    if (size < 0 || size > SIZE_LIMIT || offset < 0 || offset > Long.MAX_VALUE - size) {
      size = 0; // nonsense: there is nothing to be had
    }
    List<Area> areas = List.of();
    if ((flags & Vfio.REGION_INFO_FLAG_MMAP) != 0) {
      int chain = (flags & Vfio.REGION_INFO_FLAG_CAPS) != 0 ? info.getInt("cap_offset") : 0;
      Optional<MemorySegment> sparse =
          info.capability(
              chain, Vfio.REGION_INFO_CAP_SPARSE_MMAP, Vfio.REGION_INFO_CAP_SPARSE.byteSize());
      areas = sparse.map(Region::areas).orElse(List.of(new Area(0, size)));
    }
    return new Region(
        index,
        (flags & Vfio.REGION_INFO_FLAG_READ) != 0,
        (flags & Vfio.REGION_INFO_FLAG_WRITE) != 0,
        size,
        offset,
        areas);
  }

  /**
   * Cuts the region into parts that are mapped and parts that are not, in order and without gaps.
   *
   * @param hidden parts that are not to be mapped, though the kernel would: Linux maps the MSI-X
   *     table too, and a driver that writes there by hand sends interrupts astray
   */
  public List<Range> ranges(long pageSize, List<Area> hidden) {
    List<Area> direct = new ArrayList<>();
    if (readable && writable) {
      for (Area area : areas) {
        clip(area).flatMap(a -> inwards(a, pageSize)).ifPresent(direct::add);
      }
    }
    for (Area area : hidden) {
      Optional<Area> hole = clip(area).map(a -> outwards(a, pageSize));
      if (hole.isPresent()) {
        direct = direct.stream().flatMap(a -> without(a, hole.get()).stream()).toList();
      }
    }
    return cover(direct.stream().sorted(Comparator.comparingLong(Area::offset)).toList());
  }

  /** Fills the gaps, and joins what touches or overlaps. */
  private List<Range> cover(List<Area> direct) {
    List<Range> ranges = new ArrayList<>();
    long at = 0;
    for (Area area : direct) {
      if (area.offset() > at) {
        ranges.add(new Range(at, area.offset() - at, Access.TRAPPED));
        at = area.offset();
      }
      long end = area.offset() + area.size();
      if (end <= at) {
        continue;
      }
      if (!ranges.isEmpty() && ranges.getLast().access() == Access.DIRECT) {
        at = ranges.removeLast().offset();
      }
      ranges.add(new Range(at, end - at, Access.DIRECT));
      at = end;
    }
    if (at < size) {
      ranges.add(new Range(at, size - at, Access.TRAPPED));
    }
    return ranges;
  }

  private Optional<Area> clip(Area area) {
    if (area.offset() < 0 || area.offset() >= size || area.size() <= 0) {
      return Optional.empty();
    }
    return Optional.of(new Area(area.offset(), Math.min(area.size(), size - area.offset())));
  }

  private static Optional<Area> inwards(Area area, long pageSize) {
    long first = Math.ceilDiv(area.offset(), pageSize) * pageSize;
    long end = (area.offset() + area.size()) / pageSize * pageSize;
    return first < end ? Optional.of(new Area(first, end - first)) : Optional.empty();
  }

  private static Area outwards(Area area, long pageSize) {
    long first = area.offset() / pageSize * pageSize;
    long end = Math.ceilDiv(area.offset() + area.size(), pageSize) * pageSize;
    return new Area(first, end - first);
  }

  private static List<Area> without(Area area, Area hole) {
    long end = area.offset() + area.size();
    long holeEnd = hole.offset() + hole.size();
    List<Area> rest = new ArrayList<>();
    if (hole.offset() > area.offset()) {
      rest.add(new Area(area.offset(), Math.min(end, hole.offset()) - area.offset()));
    }
    if (holeEnd < end) {
      long first = Math.max(area.offset(), holeEnd);
      rest.add(new Area(first, end - first));
    }
    return rest;
  }

  private static List<Area> areas(MemorySegment capability) {
    long claimed =
        Integer.toUnsignedLong(
            capability.get(JAVA_INT, Vfio.offset(Vfio.REGION_INFO_CAP_SPARSE, "nr_areas")));
    long size = Vfio.SPARSE_MMAP_AREA.byteSize();
    long there = (capability.byteSize() - Vfio.REGION_INFO_CAP_SPARSE.byteSize()) / size;
    List<Area> areas = new ArrayList<>();
    for (long i = 0; i < Math.min(claimed, there); i++) {
      long at = Vfio.REGION_INFO_CAP_SPARSE.byteSize() + i * size;
      areas.add(
          new Area(
              capability.get(
                  JAVA_LONG_UNALIGNED, at + Vfio.offset(Vfio.SPARSE_MMAP_AREA, "offset")),
              capability.get(
                  JAVA_LONG_UNALIGNED, at + Vfio.offset(Vfio.SPARSE_MMAP_AREA, "size"))));
    }
    return areas;
  }
}
