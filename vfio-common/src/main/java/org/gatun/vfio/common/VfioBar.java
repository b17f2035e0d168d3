package org.gatun.vfio.common;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import org.gatun.nativeaccess.ClosedDescriptorException;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.Mapping;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciException;
import org.gatun.pci.PortIo;
import org.gatun.pci.RegisterHandler;
import org.gatun.pci.SharedRange;
import org.gatun.pci.spi.ResourceTracker;
import org.jspecify.annotations.Nullable;

/** A BAR of a real device: mapped where that can be, else trapped. */
public final class VfioBar implements Bar {
  private final DeviceName device;
  private final @Nullable Source source;

  /** What may be entrusted to others, null if there is no such thing. */
  private final @Nullable Fd fd;

  private final Region region;
  private final Kind kind;
  private final boolean prefetchable;
  private final List<Range> ranges;
  private final ResourceTracker tracker;
  private final Trap trap;

  /** Serves what is not mapped. */
  public interface Trap {
    /** For accesses to a part of the BAR: their offsets count from its start. */
    RegisterHandler at(long start);
  }

  /** Maps what can be mapped. */
  public interface Source {
    /**
     * Maps a part.
     *
     * @param offset in the BAR, whole pages as the length
     */
    Mapping map(long offset, long length);
  }

  /**
   * A BAR whose trapped parts the kernel accesses.
   *
   * @param hidden what is not to be mapped, though the kernel would
   */
  public VfioBar(
      DeviceName device,
      Fd fd,
      Region region,
      Kind kind,
      boolean prefetchable,
      List<Region.Area> hidden,
      ResourceTracker tracker) {
    this(
        device,
        fd,
        region,
        kind,
        prefetchable,
        hidden,
        tracker,
        start -> access(device, fd, region, start));
  }

  /**
   * A BAR of which a file can be mapped, whatever serves the rest.
   *
   * @param fd what is mapped, with the BAR where the region says
   * @param hidden what is not to be mapped, though the kernel would
   * @param trap serves what is not mapped
   */
  public VfioBar(
      DeviceName device,
      Fd fd,
      Region region,
      Kind kind,
      boolean prefetchable,
      List<Region.Area> hidden,
      ResourceTracker tracker,
      Trap trap) {
    this(
        device,
        (offset, length) ->
            Mapping.map(
                fd, region.offset() + offset, length, org.gatun.nativeaccess.Access.READ_WRITE),
        fd,
        region,
        kind,
        prefetchable,
        hidden,
        tracker,
        trap);
  }

  /**
   * A BAR that is not behind a descriptor of ours.
   *
   * @param source maps what the region says, null where nothing can be mapped
   * @param hidden what is not to be mapped, though the kernel would
   * @param trap serves what is not mapped
   */
  public VfioBar(
      DeviceName device,
      @Nullable Source source,
      Region region,
      Kind kind,
      boolean prefetchable,
      List<Region.Area> hidden,
      ResourceTracker tracker,
      Trap trap) {
    this(device, source, null, region, kind, prefetchable, hidden, tracker, trap);
  }

  private VfioBar(
      DeviceName device,
      @Nullable Source source,
      @Nullable Fd fd,
      Region region,
      Kind kind,
      boolean prefetchable,
      List<Region.Area> hidden,
      ResourceTracker tracker,
      Trap trap) {
    this.source = source;
    this.device = device;
    this.fd = fd;
    this.region = region;
    this.kind = kind;
    this.prefetchable = prefetchable;
    this.ranges =
        kind == Kind.IO ? List.of() : List.copyOf(region.ranges(Mapping.pageSize(), hidden));
    this.tracker = tracker;
    this.trap = trap;
  }

  @Override
  public int index() {
    return region.index();
  }

  @Override
  public Kind kind() {
    return kind;
  }

  @Override
  public long size() {
    return region.size();
  }

  @Override
  public boolean prefetchable() {
    return prefetchable;
  }

  @Override
  public List<Range> ranges() {
    return ranges;
  }

  @Override
  public Mmio map(long offset, long length) {
    if (kind == Kind.IO) {
      throw new IllegalArgumentException(this + " is an I/O BAR: it has ports, nothing to map");
    }
    if (offset % 4 != 0 || length % 4 != 0) {
      throw new IllegalArgumentException(
          "%s: offset 0x%x or length 0x%x is not a multiple of 4".formatted(this, offset, length));
    }
    Range range =
        ranges.stream()
            .filter(r -> r.contains(offset, length))
            .findFirst()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "%s: offset 0x%x, length 0x%x is not inside one of its ranges, %s"
                            .formatted(this, offset, length, ranges)));
    return switch (range.access()) {
      case DIRECT -> direct(offset, length);
      case TRAPPED -> trapped(offset, length);
    };
  }

  @Override
  public PortIo ports() {
    if (kind != Kind.IO) {
      throw new IllegalArgumentException(this + " is memory: it has no ports");
    }
    return new VfioPortIo(device, trap.at(0), region.size());
  }

  /** Nothing: who had the device's descriptor could do all with the device. */
  @Override
  public Optional<SharedRange> share(Range range) {
    return Optional.empty();
  }

  @Override
  public Optional<SharedRange> entrust(Range range) {
    boolean direct =
        ranges.stream()
            .anyMatch(
                r -> r.access() == Access.DIRECT && r.contains(range.offset(), range.length()));
    return direct && fd != null
        ? Optional.of(new Entrusted(fd, region.offset() + range.offset()))
        : Optional.empty();
  }

  /** The device's descriptor, which stays the device's. */
  private record Entrusted(Fd fd, long offset) implements SharedRange {
    @Override
    public <T> Optional<T> unwrap(Class<T> exactType) {
      return exactType.equals(Fd.class) ? Optional.of(exactType.cast(fd)) : Optional.empty();
    }

    @Override
    public void close() {
      // Mappings end with who was entrusted, the descriptor with the device.
    }
  }

  @Override
  public String toString() {
    return device + " BAR " + region.index();
  }

  private Mmio direct(long offset, long length) {
    long page = Mapping.pageSize();
    long first = offset / page * page;
    long end = Math.ceilDiv(offset + length, page) * page;
    Mapping mapping;
    try {
      mapping = Objects.requireNonNull(source).map(first, end - first);
    } catch (ClosedDescriptorException e) {
      throw new DeviceGoneException(device, "map BAR " + region.index(), e);
    } catch (LinuxException e) {
      throw new PciException(device, "can't map its registers: " + e.getMessage(), null, e);
    }
    MemorySegment segment = mapping.segment().asSlice(offset - first, length);
    return tracked(key -> Mmio.direct(device, segment, () -> end(key, mapping)), mapping::close);
  }

  private Mmio trapped(long offset, long length) {
    return tracked(
        key -> Mmio.trapped(device, length, trap.at(offset), () -> tracker.remove(key)), () -> {});
  }

  private Mmio tracked(Function<Object, Mmio> maker, Runnable unmap) {
    Object key = new Object();
    Mmio mmio = maker.apply(key);
    try {
      tracker.add(
          key,
          new ResourceTracker.Resource.Mapping(),
          () -> {
            mmio.close();
            // In case another thread is just closing it.
            unmap.run();
          });
    } catch (DeviceGoneException e) {
      mmio.close();
      throw e;
    }
    return mmio;
  }

  private void end(Object key, Mapping mapping) {
    try {
      mapping.close();
    } finally {
      tracker.remove(key);
    }
  }

  private static RegionAccess access(DeviceName device, Fd fd, Region region, long start) {
    return new RegionAccess(device, fd, "BAR " + region.index(), region.offset() + start);
  }
}
