package org.gatun.vfio;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.gatun.nativeaccess.DmaMemory;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.ResourceLimit;
import org.gatun.pci.BusRange;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaException;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.spi.CallersMemory;
import org.gatun.pci.spi.ResourceTracker;
import org.jspecify.annotations.Nullable;

/**
 * The DMA memory of one device.
 *
 * <p>Memory is freed only after it was unmapped. If the kernel does not unmap it, it is kept for
 * good, and that is logged: a leak is better than a device that writes to memory that has become
 * something else.
 */
final class VfioDmaSpace implements DmaSpace {
  private static final System.Logger LOG = System.getLogger(VfioDmaSpace.class.getName());

  /** From which size on memory is taken from huge pages, if there are any: one such page. */
  private static final long HUGE = 2L << 20;

  private static final int MIN_BITS = 12;

  /** Memory that the kernel has not unmapped: never to be freed, so held for good. */
  private static final Queue<MemorySegment> KEPT = new ConcurrentLinkedQueue<>();

  private final DeviceName device;
  private final DmaDomain domain;
  private final ResourceTracker tracker;
  private volatile long limit = -1; // the highest address, unsigned

  VfioDmaSpace(DeviceName device, DmaDomain domain, ResourceTracker tracker) {
    this.device = device;
    this.domain = domain;
    this.tracker = tracker;
  }

  @Override
  public DmaBuffer allocate(long size, long alignment) {
    if (size <= 0 || size > Long.MAX_VALUE - domain.pageSize()) {
      throw new IllegalArgumentException(device + ": no DMA buffer of " + size + " bytes");
    }
    if (alignment <= 0 || Long.bitCount(alignment) != 1) {
      throw new IllegalArgumentException(
          device + ": alignment " + alignment + " is not a power of two");
    }
    long rounded = Math.ceilDiv(size, domain.pageSize()) * domain.pageSize();
    DmaMemory memory;
    try {
      memory =
          DmaMemory.allocate(
              rounded, rounded >= HUGE ? DmaMemory.Pages.HUGE_IF_FREE : DmaMemory.Pages.NORMAL);
    } catch (LinuxException e) {
      throw failure("can't allocate 0x%x bytes: %s".formatted(rounded, e.getMessage()), null, e);
    }
    MemorySegment segment = memory.segment().asSlice(0, rounded);
    long least = Math.max(alignment, domain.pageSize());
    long best = Math.max(least, memory.pageSize());
    return buffer(
        segment,
        // As a huge page if it is one, since the IOMMU then needs one entry for it, if that fits.
        () ->
            map(segment, best, DmaDirection.BIDIRECTIONAL)
                .or(() -> map(segment, least, DmaDirection.BIDIRECTIONAL))
                .orElseThrow(() -> noRoom(segment)),
        memory::close);
  }

  @Override
  public DmaBuffer map(MemorySegment memory, DmaDirection direction) {
    CallersMemory.check(device, memory, domain.pageSize(), direction);
    return buffer(
        memory,
        () -> map(memory, domain.pageSize(), direction).orElseThrow(() -> noRoom(memory)),
        () -> {});
  }

  @Override
  public DmaBuffer mapAt(long busAddress, MemorySegment memory, DmaDirection direction) {
    CallersMemory.check(device, memory, domain.pageSize(), direction);
    return buffer(memory, () -> mapHere(busAddress, memory, direction), () -> {});
  }

  @Override
  public List<BusRange> usableRanges() {
    return domain.usable();
  }

  @Override
  public void limitTo(int bits) {
    if (bits < MIN_BITS || bits > Long.SIZE) {
      throw new IllegalArgumentException(device + ": no device drives " + bits + " address bits");
    }
    limit = -1L >>> (Long.SIZE - bits);
  }

  private DmaDomain.Mapped mapHere(long busAddress, MemorySegment memory, DmaDirection direction) {
    long size = memory.byteSize();
    String what = "can't map 0x%x bytes at bus address 0x%x".formatted(size, busAddress);
    if (busAddress % domain.pageSize() != 0) {
      throw failure(what + ": it is not a multiple of the IOMMU's page", null, null);
    }
    if (reachable().stream().noneMatch(range -> range.contains(busAddress, size))) {
      throw failure(what + ": usable are " + reachable(), null, null);
    }
    DmaDomain.Mapped mapped = new DmaDomain.Mapped(busAddress, memory.address(), size, direction);
    try {
      if (!domain.mapAt(mapped)) {
        throw failure(what + ": something else is mapped there", "close that first", null);
      }
    } catch (LinuxException e) {
      throw refused(size, e);
    }
    return mapped;
  }

  private Optional<DmaDomain.Mapped> map(
      MemorySegment memory, long alignment, DmaDirection direction) {
    try {
      return domain.map(memory.address(), memory.byteSize(), alignment, limit, direction);
    } catch (LinuxException e) {
      throw refused(memory.byteSize(), e);
    }
  }

  private DmaBuffer buffer(
      MemorySegment segment, Supplier<DmaDomain.Mapped> mapping, Runnable free) {
    Allocation allocation = new Allocation(segment, free);
    DmaDomain.Mapped mapped = allocation.establish(segment.byteSize(), mapping);
    return new DmaBuffer(device, segment, mapped.busAddress(), allocation::end);
  }

  /**
   * Memory on its way from being mapped to being freed. Closing the buffer and closing the device
   * both end it: one of them does it, and the other waits until it is done. So the device never
   * goes on closing while memory is still mapped, or is just being mapped.
   */
  private final class Allocation {
    /** Kept reachable: of an automatic arena, the memory goes when nobody holds it any more. */
    private final MemorySegment memory;

    private final Runnable free;
    private DmaDomain.@Nullable Mapped mapped;

    Allocation(MemorySegment memory, Runnable free) {
      this.memory = memory;
      this.free = free;
    }

    synchronized DmaDomain.Mapped establish(long size, Supplier<DmaDomain.Mapped> mapping) {
      try {
        // First, so that either a close of the device finds it, or this finds the device closed.
        tracker.add(this, new ResourceTracker.Resource.Buffer(size), this::end);
        DmaDomain.Mapped established = mapping.get();
        mapped = established;
        return established;
      } finally {
        if (mapped == null) {
          tracker.remove(this);
          free.run();
        }
      }
    }

    synchronized void end() {
      DmaDomain.Mapped current = mapped;
      if (current == null) {
        return;
      }
      mapped = null;
      try {
        domain.unmap(current);
        free.run();
      } catch (IllegalStateException e) {
        // Not unmapped; or a native call is just using the memory.
        KEPT.add(memory);
        LOG.log(
            Level.ERROR,
            "%s: DMA memory, 0x%x bytes at bus address 0x%x, is never freed: %s"
                .formatted(device, current.size(), current.busAddress(), e.getMessage()),
            e);
      } finally {
        tracker.remove(this);
      }
    }
  }

  /** What can be mapped and what the device can drive. */
  private List<BusRange> reachable() {
    long highest = limit;
    return domain.usable().stream()
        .filter(range -> Long.compareUnsigned(range.first(), highest) <= 0)
        .map(
            range ->
                Long.compareUnsigned(range.last(), highest) <= 0
                    ? range
                    : new BusRange(range.first(), highest))
        .toList();
  }

  private DmaException noRoom(MemorySegment memory) {
    return failure(
        "no bus addresses are left for 0x%x bytes: usable are %s"
            .formatted(memory.byteSize(), reachable()),
        "close buffers",
        null);
  }

  private DmaException refused(long size, LinuxException e) {
    String what = "can't map 0x%x bytes for DMA: ".formatted(size);
    return switch (e.errno()) {
      case ENOMEM -> {
        ResourceLimit locked = ResourceLimit.lockedMemory();
        yield failure(
            what
                + "this process has %s of locked memory, its limit is %s"
                    .formatted(
                        lockedBytes().map(VfioDmaSpace::kib).orElse("an unknown amount"),
                        locked.soft() == ResourceLimit.UNLIMITED
                            ? "none, so memory is short"
                            : kib(locked.soft())),
            "raise it: 'ulimit -l unlimited' as root, or LimitMEMLOCK= of the service",
            e);
      }
      case ENOSPC ->
          failure(
              what + "the kernel allows no more mappings (dma_entry_limit of vfio_iommu_type1)",
              "use fewer and larger buffers",
              e);
      case EEXIST -> failure(what + "something is mapped there already", null, e);
      case EFAULT -> failure(what + "the kernel can't pin that memory", null, e);
      default -> failure(what + e.getMessage(), null, e);
    };
  }

  /** From the line {@code VmLck: 64 kB}: a mapping for DMA counts as locked there. */
  private static Optional<Long> lockedBytes() {
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/status"))) {
      return lines
          .filter(line -> line.startsWith("VmLck:"))
          .map(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
          .findFirst();
    } catch (IOException | UncheckedIOException | NumberFormatException e) {
      return Optional.empty();
    }
  }

  private static String kib(long bytes) {
    return bytes / 1024 + " KiB";
  }

  private DmaException failure(String problem, @Nullable String remedy, @Nullable Exception cause) {
    return new DmaException(device, problem, remedy, cause);
  }
}
