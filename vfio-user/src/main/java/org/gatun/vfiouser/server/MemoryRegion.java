package org.gatun.vfiouser.server;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.Mapping;
import org.gatun.pci.Bar;
import org.gatun.pci.Bar.Access;
import org.gatun.pci.Bar.Range;
import org.gatun.pci.Mmio;
import org.gatun.pci.SharedRange;
import org.gatun.vfio.common.Region.Area;
import org.jspecify.annotations.Nullable;

/**
 * A memory BAR. What the device shares, the client can map; all of it can be read and written by
 * messages.
 */
final class MemoryRegion extends ExportedRegion implements AutoCloseable {
  private final Bar bar;
  private final List<Part> parts;
  private @Nullable Sharing sharing;

  /** A range of the BAR, mapped when it is first used. */
  private static final class Part {
    final Range range;
    @Nullable Mmio registers;

    Part(Range range) {
      this.range = range;
    }
  }

  /**
   * What the client can map: parts of one file.
   *
   * @param base where in the file the BAR would begin
   * @param areas of the BAR, whole pages
   */
  record Sharing(Fd file, long base, List<Area> areas, List<SharedRange> ranges) {}

  MemoryRegion(Bar bar) {
    super(bar.size());
    this.bar = bar;
    this.parts = bar.ranges().stream().map(Part::new).toList();
  }

  /** What can be mapped; empty if nothing. It is shared from now on. */
  Optional<Sharing> share() {
    if (sharing == null) {
      sharing = shareAll();
    }
    return Optional.ofNullable(sharing);
  }

  /** The registers that a client need not wait for, mapped so that any thread can write them. */
  List<Bar.Doorbell> doorbells() {
    List<Bar.Doorbell> doorbells = bar.doorbells();
    doorbells.forEach(doorbell -> registers(part(doorbell.offset())));
    return doorbells;
  }

  @Override
  int widest(long offset) {
    Range range = part(offset).range;
    long aligned = Long.lowestOneBit((offset - range.offset()) | Long.BYTES);
    return (int) Math.min(aligned, Long.highestOneBit(range.offset() + range.length() - offset));
  }

  @Override
  long readOnce(long offset, int width) {
    Part part = part(offset);
    Mmio registers = registers(part);
    long at = offset - part.range.offset();
    return switch (width) {
      case 1 -> registers.read8(at);
      case 2 -> registers.read16(at);
      case 4 -> registers.read32(at);
      default -> registers.read64(at);
    };
  }

  @Override
  void writeOnce(long offset, int width, long value) {
    Part part = part(offset);
    Mmio registers = registers(part);
    long at = offset - part.range.offset();
    switch (width) {
      case 1 -> registers.write8(at, (int) value);
      case 2 -> registers.write16(at, (int) value);
      case 4 -> registers.write32(at, (int) value);
      default -> registers.write64(at, value);
    }
  }

  /** Ends the mappings, and then the sharing. */
  @Override
  public void close() {
    for (Part part : parts) {
      if (part.registers != null) {
        part.registers.close();
      }
    }
    if (sharing != null) {
      sharing.ranges.forEach(SharedRange::close);
    }
  }

  private @Nullable Sharing shareAll() {
    long page = Mapping.pageSize();
    Sharing found = null;
    for (Part part : parts) {
      Range range = part.range;
      long first = Math.ceilDiv(range.offset(), page) * page;
      long end = (range.offset() + range.length()) / page * page;
      if (range.access() != Access.DIRECT || first >= end) {
        continue;
      }
      SharedRange shared = bar.share(range).orElse(null);
      if (shared == null) {
        continue;
      }
      Fd file = shared.unwrap(Fd.class).orElse(null);
      long base = shared.offset() - range.offset();
      if (found == null && file != null && base >= 0 && base % page == 0) {
        found = new Sharing(file, base, new ArrayList<>(), new ArrayList<>());
      }
      if (found == null || !found.file.equals(file) || found.base != base) {
        shared.close(); // a reply has room for one file
        continue;
      }
      found.areas.add(new Area(first, end - first));
      found.ranges.add(shared);
    }
    return found;
  }

  private Part part(long offset) {
    for (int i = 0; i < parts.size(); i++) {
      Part part = parts.get(i);
      if (offset < part.range.offset() + part.range.length()) {
        return part;
      }
    }
    return parts.getLast();
  }

  private Mmio registers(Part part) {
    Mmio registers = part.registers;
    if (registers == null) {
      registers = bar.map(part.range.offset(), part.range.length());
      part.registers = registers;
    }
    return registers;
  }
}
