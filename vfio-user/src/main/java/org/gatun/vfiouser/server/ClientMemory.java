package org.gatun.vfiouser.server;

import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import org.gatun.nativeaccess.Access;
import org.gatun.nativeaccess.Errno;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.Mapping;
import org.gatun.nativeaccess.Memfd;
import org.gatun.nativeaccess.WrongDescriptorException;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaException;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.PciException;
import org.gatun.pci.spi.RemoteDma;
import org.gatun.pci.spi.RemoteMemory;
import org.gatun.vfiouser.ExportOptions;
import org.gatun.vfiouser.wire.Refusal;
import org.jspecify.annotations.Nullable;

/**
 * The memory of one client that the device may reach (vfio-user specification,
 * "VFIO_USER_DMA_MAP"). For the thread of the session.
 */
final class ClientMemory implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(ClientMemory.class.getName());
  private static final int READABLE = 1;
  private static final int WRITABLE = 2;

  /** Means nothing any more: that a descriptor comes with it, which one sees. */
  private static final int MAPPABLE = 4;

  private final DmaSpace space;
  private final Optional<RemoteDma> remote;
  private final ExportOptions options;
  private final RemoteMemory byMessages;

  /** By first address, unsigned. */
  private final NavigableMap<Long, Region> regions = new TreeMap<>(Long::compareUnsigned);

  private long bytes;

  private interface Unmapping {
    void run();
  }

  private record Region(long size, Unmapping unmapping) {}

  /**
   * @param byMessages reaches memory of which the client gave no descriptor
   */
  ClientMemory(DmaSpace space, ExportOptions options, RemoteMemory byMessages) {
    this.space = space;
    this.remote = space.remote();
    this.options = options;
    this.byMessages = byMessages;
  }

  /**
   * Maps a region.
   *
   * @param descriptors of the memory: the caller's, and not needed any more afterwards
   */
  void map(int flags, long offset, long address, long size, List<Fd> descriptors) {
    if (options.inherited().isPresent()) {
      throw new Refusal(Errno.EPERM, "the client has inherited its memory: there is no other");
    }
    DmaDirection direction = direction(flags);
    long page = Mapping.pageSize();
    if (size <= 0 || size % page != 0 || address % page != 0 || address + size - 1 < address) {
      throw new Refusal(
          Errno.EINVAL, "0x%x bytes at 0x%x are not whole pages".formatted(size, address));
    }
    checkFree(address, size);
    if (space.usableRanges().stream().noneMatch(range -> range.contains(address, size))) {
      throw new Refusal(
          Errno.EINVAL, "0x%x bytes at 0x%x are out of reach".formatted(size, address));
    }
    if (regions.size() >= options.limits().dmaRegions()) {
      throw new Refusal(Errno.ENOSPC, "there are %d regions".formatted(regions.size()));
    }
    if (size > options.limits().dmaBytes() - bytes) {
      throw new Refusal(Errno.ENOMEM, "there are 0x%x bytes mapped".formatted(bytes));
    }
    Unmapping unmapping =
        switch (descriptors.size()) {
          case 0 -> withoutDescriptor(address, size, direction);
          case 1 -> withDescriptor(descriptors.getFirst(), offset, address, size, direction);
          default -> throw new Refusal(Errno.EINVAL, descriptors.size() + " descriptors");
        };
    regions.put(address, new Region(size, unmapping));
    bytes += size;
  }

  /**
   * Unmaps the regions that lie in a range, of which there is one at least. The specification has
   * one, mapped just so. QEMU, when its guest takes the IOMMU into use, wants all unmapped, in
   * ranges of its own choice.
   */
  void unmap(long address, long size) {
    long last = address + size - 1;
    if (size == 0 || Long.compareUnsigned(last, address) < 0) {
      throw new Refusal(Errno.EINVAL, "0x%x bytes at 0x%x are no range".formatted(size, address));
    }
    if (isCut(regions.lowerEntry(address), address - 1) || isCut(regions.floorEntry(last), last)) {
      throw new Refusal(
          Errno.EINVAL, "0x%x bytes at 0x%x are part of a region".formatted(size, address));
    }
    NavigableMap<Long, Region> within = regions.subMap(address, true, last, true);
    if (within.isEmpty()) {
      throw new Refusal(Errno.ENOENT, "0x%x bytes at 0x%x are no region".formatted(size, address));
    }
    while (!within.isEmpty()) {
      Region region = within.pollFirstEntry().getValue();
      bytes -= region.size;
      region.unmapping.run();
    }
  }

  /** Whether a region that starts at or below an address goes on above it. */
  private static boolean isCut(Map.@Nullable Entry<Long, Region> region, long last) {
    return region != null
        && Long.compareUnsigned(region.getKey() + region.getValue().size - 1, last) > 0;
  }

  /** Unmaps all. */
  @Override
  public void close() {
    while (!regions.isEmpty()) {
      Map.Entry<Long, Region> entry = regions.firstEntry();
      try {
        unmap(entry.getKey(), entry.getValue().size);
      } catch (RuntimeException e) {
        LOG.log(Level.WARNING, "unmapping memory of a client's failed: " + e.getMessage(), e);
      }
    }
  }

  private void checkFree(long address, long size) {
    Map.Entry<Long, Region> below = regions.floorEntry(address + size - 1);
    if (below != null
        && Long.compareUnsigned(below.getKey() + below.getValue().size - 1, address) >= 0) {
      throw new Refusal(
          Errno.EEXIST, "something is mapped at 0x%x already".formatted(below.getKey()));
    }
  }

  /** Hardware can't send messages: to it the memory is not there. */
  private Unmapping withoutDescriptor(long address, long size, DmaDirection direction) {
    if (remote.isEmpty()) {
      return () -> {};
    }
    try {
      return remote.get().mapAt(address, size, byMessages, direction)::close;
    } catch (PciException | IllegalArgumentException e) {
      throw refused(e);
    }
  }

  private Unmapping withDescriptor(
      Fd descriptor, long offset, long address, long size, DmaDirection direction) {
    long page = Mapping.pageSize();
    if (offset < 0 || offset % page != 0 || offset > Long.MAX_VALUE - size) {
      throw new Refusal(Errno.EINVAL, "offset 0x%x".formatted(offset));
    }
    check(descriptor, offset + size);
    Mapping mapping;
    try {
      mapping =
          Mapping.map(
              descriptor,
              offset,
              size,
              direction == DmaDirection.TO_DEVICE ? Access.READ : Access.READ_WRITE);
    } catch (LinuxException e) {
      throw new Refusal(e.errno(), String.valueOf(e.getMessage()));
    }
    DmaBuffer buffer = null;
    try {
      MemorySegment memory = mapping.segment();
      buffer = space.mapAt(address, memory, direction);
    } catch (PciException | IllegalArgumentException e) {
      throw refused(e);
    } finally {
      if (buffer == null) {
        mapping.close();
      }
    }
    DmaBuffer mapped = buffer;
    return () -> {
      try {
        mapped.close();
      } finally {
        mapping.close();
      }
    };
  }

  /**
   * Memory that may shrink ends the process that touches it then, as do huge pages that are taken
   * out. A device that is hardware is only given it: nobody here touches it.
   */
  private void check(Fd descriptor, long end) {
    Memfd memfd;
    try {
      memfd = Memfd.of(descriptor);
    } catch (WrongDescriptorException e) {
      if (options.anyMemory() && remote.isEmpty()) {
        return;
      }
      throw new Refusal(Errno.EINVAL, String.valueOf(e.getMessage()));
    }
    if (memfd.size() < end) {
      throw new Refusal(
          Errno.EINVAL, "the memory has 0x%x bytes, not 0x%x".formatted(memfd.size(), end));
    }
    if ((!memfd.isShrinkSealed() || memfd.isHuge()) && !(options.anyMemory() && remote.isEmpty())) {
      throw new Refusal(
          Errno.EPERM,
          "the memory is not a regular memfd that is sealed against shrinking (F_SEAL_SHRINK)");
    }
  }

  private static DmaDirection direction(int flags) {
    return switch (flags & ~MAPPABLE) {
      case READABLE -> DmaDirection.TO_DEVICE;
      case WRITABLE -> DmaDirection.FROM_DEVICE;
      case READABLE | WRITABLE -> DmaDirection.BIDIRECTIONAL;
      default -> throw new Refusal(Errno.EINVAL, "flags 0x%x".formatted(flags));
    };
  }

  private static Refusal refused(RuntimeException e) {
    Errno errno =
        switch (e) {
          case DeviceGoneException _ -> Errno.ENODEV;
          case DmaException _ -> Errno.ENOMEM;
          default -> Errno.EINVAL;
        };
    return new Refusal(errno, String.valueOf(e.getMessage()));
  }
}
