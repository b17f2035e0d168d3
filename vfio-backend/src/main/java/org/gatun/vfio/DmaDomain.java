package org.gatun.vfio;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.pci.BusRange;
import org.gatun.pci.DmaDirection;
import org.gatun.vfio.common.BusAddressAllocator;

/**
 * The mappings of one IOMMU context. The devices of a group share one: the same mapping made twice
 * counts twice, and goes when both are gone. Any thread.
 */
final class DmaDomain {
  /** What maps and unmaps: an {@link IommuContext}. */
  interface Mapper {
    /** See {@link IommuContext#map}. */
    void map(long busAddress, long address, long size, DmaDirection direction);

    /** See {@link IommuContext#unmap}. */
    long unmap(long busAddress, long size);
  }

  /**
   * Memory that is mapped.
   *
   * @param address of the memory in this process
   */
  record Mapped(long busAddress, long address, long size, DmaDirection direction) {}

  private final Mapper mapper;
  private final List<BusRange> usable;
  private final long pageSize;
  private final BusAddressAllocator addresses;

  /** How often each was mapped. */
  private final Map<Mapped, Integer> counts = new HashMap<>();

  DmaDomain(Mapper mapper, List<BusRange> usable, long pageSize) {
    this.mapper = mapper;
    this.usable = List.copyOf(usable);
    this.pageSize = pageSize;
    this.addresses = new BusAddressAllocator(usable, pageSize);
  }

  /** Which bus addresses can be mapped. */
  List<BusRange> usable() {
    return usable;
  }

  /** The smallest page of the IOMMU, in bytes. */
  long pageSize() {
    return pageSize;
  }

  /**
   * Maps memory where there is room.
   *
   * @param size in whole pages
   * @param alignment of the bus address, at least a page
   * @param limit the highest bus address that the device can drive
   * @return empty if there is no room
   * @throws LinuxException if the kernel refuses
   */
  synchronized Optional<Mapped> map(
      long address, long size, long alignment, long limit, DmaDirection direction) {
    OptionalLong busAddress = addresses.allocate(size, alignment, limit);
    if (busAddress.isEmpty()) {
      return Optional.empty();
    }
    Mapped mapped = new Mapped(busAddress.getAsLong(), address, size, direction);
    establish(mapped);
    return Optional.of(mapped);
  }

  /**
   * Maps memory at a given bus address, or counts the same mapping once more.
   *
   * @return false if something else is mapped there, or if the address is not usable
   * @throws LinuxException if the kernel refuses
   */
  synchronized boolean mapAt(Mapped mapped) {
    if (counts.containsKey(mapped)) {
      counts.merge(mapped, 1, Integer::sum);
      return true;
    }
    if (!addresses.reserve(mapped.busAddress, mapped.size)) {
      return false;
    }
    establish(mapped);
    return true;
  }

  /**
   * Takes memory from the devices, once for each time it was mapped. Only when this has returned
   * may the memory be freed.
   *
   * @throws IllegalStateException if the kernel keeps it mapped: then it must never be freed
   */
  synchronized void unmap(Mapped mapped) {
    int count = counts.getOrDefault(mapped, 0);
    if (count > 1) {
      counts.put(mapped, count - 1);
      return;
    }
    long done;
    try {
      done = mapper.unmap(mapped.busAddress, mapped.size);
    } catch (RuntimeException e) {
      throw new IllegalStateException("the kernel does not unmap it: " + e.getMessage(), e);
    }
    if (done != mapped.size) {
      throw new IllegalStateException(
          "the kernel has unmapped 0x%x of 0x%x bytes".formatted(done, mapped.size));
    }
    counts.remove(mapped);
    addresses.release(mapped.busAddress, mapped.size);
  }

  private void establish(Mapped mapped) {
    boolean done = false;
    try {
      mapper.map(mapped.busAddress, mapped.address, mapped.size, mapped.direction);
      counts.put(mapped, 1);
      done = true;
    } finally {
      if (!done) {
        addresses.release(mapped.busAddress, mapped.size);
      }
    }
  }
}
