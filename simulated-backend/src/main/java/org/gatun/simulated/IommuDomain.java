package org.gatun.simulated;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.gatun.pci.BusRange;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaException;
import org.gatun.pci.spi.RemoteMemory;
import org.gatun.simulated.IommuFault.Kind;
import org.gatun.simulated.IommuFault.Origin;
import org.jspecify.annotations.Nullable;

/**
 * The address space of the devices of an IOMMU group: which bus addresses reach which memory.
 * Changes copy the table, so that DMA looks it up without a lock; who takes something out of it
 * waits for the DMA that may still use the table before.
 */
final class IommuDomain {
  static final long PAGE = 4096;

  /** As Intel's IOMMU has them on x86: 0xfee00000 is where messages of interrupts go. */
  static final List<BusRange> USABLE =
      List.of(new BusRange(0, 0xfedf_ffffL), new BusRange(0xfef0_0000L, (1L << 39) - 1));

  /** Low addresses are given out last: an address that a bug made of a small number then faults. */
  private static final long PREFERRED_START = 1 << 20;

  /** Memory at contiguous bus addresses: of this process, or reached by calls. */
  static final class Mapping {
    final long first;
    final long last;
    final @Nullable MemorySegment memory;
    final @Nullable RemoteMemory remote;
    final boolean readable;
    final boolean writable;

    /** The frames of who mapped it; empty if nobody wants to know. */
    final List<StackTraceElement> mappedAt;

    private Mapping(
        long first,
        long size,
        @Nullable MemorySegment memory,
        @Nullable RemoteMemory remote,
        DmaDirection direction,
        List<StackTraceElement> mappedAt) {
      this.first = first;
      this.last = first + size - 1;
      this.memory = memory;
      this.remote = remote;
      this.readable = direction != DmaDirection.FROM_DEVICE;
      this.writable = direction != DmaDirection.TO_DEVICE;
      this.mappedAt = mappedAt;
    }

    long size() {
      return last - first + 1;
    }

    /** Whether it is the same memory at the same bus addresses, whoever mapped it. */
    private boolean isTwinOf(Mapping other) {
      return first == other.first
          && last == other.last
          && Objects.equals(remote, other.remote)
          && (memory == null ? 0 : memory.address())
              == (other.memory == null ? 0 : other.memory.address())
          && readable == other.readable
          && writable == other.writable;
    }
  }

  /** All mappings, ascending. Immutable. */
  static final class Table {
    static final Table EMPTY = new Table(new Mapping[0]);

    private final Mapping[] mappings;

    private Table(Mapping[] mappings) {
      this.mappings = mappings;
    }

    @Nullable Mapping find(long busAddress) {
      int index = indexAtOrBelow(busAddress);
      if (index < 0) {
        return null;
      }
      Mapping mapping = mappings[index];
      return busAddress <= mapping.last ? mapping : null;
    }

    /** Of the mapping with the highest first address that is not above this one; or -1. */
    private int indexAtOrBelow(long busAddress) {
      int low = 0;
      int high = mappings.length - 1;
      while (low <= high) {
        int middle = (low + high) >>> 1;
        if (mappings[middle].first <= busAddress) {
          low = middle + 1;
        } else {
          high = middle - 1;
        }
      }
      return high;
    }

    private boolean isFree(long first, long last) {
      int below = indexAtOrBelow(last);
      return below < 0 || mappings[below].last < first;
    }

    private Table with(Mapping mapping) {
      int at = indexAtOrBelow(mapping.first) + 1;
      Mapping[] more = new Mapping[mappings.length + 1];
      System.arraycopy(mappings, 0, more, 0, at);
      more[at] = mapping;
      System.arraycopy(mappings, at, more, at + 1, mappings.length - at);
      return new Table(more);
    }

    private Table without(Mapping mapping) {
      List<Mapping> fewer = new ArrayList<>(List.of(mappings));
      fewer.remove(mapping);
      return new Table(fewer.toArray(Mapping[]::new));
    }
  }

  private final List<BusMaster> masters = new CopyOnWriteArrayList<>();

  /** Mappings that are in the table once already, by another use of the group. */
  private final List<Mapping> twins = new ArrayList<>();

  private final SimulatedIommu iommu;
  private final MappingOrigins origins = new MappingOrigins();
  private volatile Table table = Table.EMPTY;

  IommuDomain(SimulatedIommu iommu) {
    this.iommu = iommu;
  }

  /** A mapping of memory of this process, which is yet to be added. */
  Mapping mapping(long first, MemorySegment memory, DmaDirection direction) {
    return new Mapping(first, memory.byteSize(), memory, null, direction, here());
  }

  /** A mapping of memory that is reached by calls, which is yet to be added. */
  Mapping mapping(long first, long size, RemoteMemory remote, DmaDirection direction) {
    return new Mapping(first, size, null, remote, direction, here());
  }

  private List<StackTraceElement> here() {
    return iommu.keepsOrigins() ? MappingOrigins.here() : List.of();
  }

  /** Why an access that was just refused was. */
  IommuFault explain(DeviceName device, long busAddress, long size, DmaDirection direction) {
    Mapping mapping = table.find(busAddress);
    boolean read = direction == DmaDirection.TO_DEVICE;
    if (mapping == null) {
      Kind kind = !read && InterruptRemapping.covers(busAddress) ? Kind.INTERRUPT : Kind.NOT_MAPPED;
      return new IommuFault(device, busAddress, size, direction, kind, origins.last(busAddress));
    }
    Kind kind =
        (read ? mapping.readable : mapping.writable)
            ? Kind.GONE
            : read ? Kind.NOT_READABLE : Kind.NOT_WRITABLE;
    Optional<Origin> origin =
        mapping.mappedAt.isEmpty()
            ? Optional.empty()
            : Optional.of(new Origin(mapping.mappedAt, List.of()));
    return new IommuFault(device, busAddress, size, direction, kind, origin);
  }

  /** What is mapped now. */
  Table table() {
    return table;
  }

  void attach(BusMaster master) {
    masters.add(master);
  }

  void detach(BusMaster master) {
    masters.remove(master);
  }

  /**
   * Maps memory where there is room.
   *
   * @param limit the highest bus address that the device can drive
   */
  synchronized Mapping map(
      DeviceName device, MemorySegment memory, long alignment, long limit, DmaDirection direction) {
    long size = memory.byteSize();
    long first = findRoom(PREFERRED_START, size, alignment, limit);
    if (first < 0) {
      first = findRoom(0, size, alignment, limit);
    }
    if (first < 0) {
      throw new DmaException(
          device,
          "no %d bytes of bus addresses, aligned to %d and up to 0x%x, are free"
              .formatted(size, alignment, limit),
          "close buffers that are no longer used",
          null);
    }
    return add(mapping(first, memory, direction));
  }

  /** Adds a mapping at an address of the caller's choice, or counts the same one once more. */
  synchronized Mapping mapAt(DeviceName device, Mapping mapping, long limit) {
    long first = mapping.first;
    long last = mapping.last;
    if (USABLE.stream().noneMatch(r -> r.contains(first, mapping.size())) || last > limit) {
      throw new DmaException(
          device,
          "bus addresses 0x%x to 0x%x can't be mapped".formatted(first, last),
          "usable are " + USABLE + ", up to 0x%x".formatted(limit),
          null);
    }
    Mapping present = table.find(first);
    if (present != null && present.isTwinOf(mapping)) {
      twins.add(mapping);
      return mapping;
    }
    if (!table.isFree(first, last)) {
      throw new DmaException(
          device,
          "bus addresses 0x%x to 0x%x are mapped already, at least in part".formatted(first, last),
          null,
          null);
    }
    return add(mapping);
  }

  /** When it returns, no DMA reaches the memory any more, unless a twin of the mapping is left. */
  synchronized void unmap(Mapping mapping) {
    if (twins.remove(mapping)) {
      return;
    }
    Table fewer = table.without(mapping);
    Mapping twin = twins.stream().filter(mapping::isTwinOf).findFirst().orElse(null);
    if (twin != null) {
      twins.remove(twin);
      fewer = fewer.with(twin);
    }
    if (!mapping.mappedAt.isEmpty()) {
      origins.unmapped(mapping);
    }
    table = fewer;
    awaitDma();
  }

  private Mapping add(Mapping mapping) {
    table = table.with(mapping);
    return mapping;
  }

  private void awaitDma() {
    // Either a port sees the new state, or we see that it is at work: one of the two volatile pairs
    // (state, then sequence here; sequence, then state there) comes second.
    VarHandle.fullFence();
    for (BusMaster master : masters) {
      master.awaitQuiet();
    }
  }

  private long findRoom(long start, long size, long alignment, long limit) {
    for (BusRange range : USABLE) {
      long last = Math.min(range.last(), limit);
      long first = alignUp(Math.max(range.first(), start), alignment);
      while (first <= last && last - first >= size - 1) {
        int below = table.indexAtOrBelow(first + size - 1);
        if (below < 0 || table.mappings[below].last < first) {
          return first;
        }
        // Of what is in the way, the nearest to the start: there may be room behind it.
        int nearest = Math.max(table.indexAtOrBelow(first), 0);
        if (table.mappings[nearest].last < first) {
          nearest++;
        }
        first = alignUp(table.mappings[nearest].last + 1, alignment);
      }
    }
    return -1;
  }

  private static long alignUp(long address, long alignment) {
    long aligned = (address + alignment - 1) & -alignment;
    return aligned < address ? Long.MAX_VALUE : aligned;
  }
}
