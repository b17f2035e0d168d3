package org.gatun.vfiouser.client;

import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentSkipListMap;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.Mapping;
import org.gatun.nativeaccess.Memfd;
import org.gatun.pci.BusRange;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaException;
import org.gatun.pci.spi.CallersMemory;
import org.gatun.pci.spi.ResourceTracker;
import org.gatun.vfio.common.BusAddressAllocator;
import org.gatun.vfio.common.Vfio;
import org.jspecify.annotations.Nullable;

/**
 * DMA memory that both ends have: each buffer is a sealed memfd, whose descriptor goes to the
 * server. Memory of the caller's has none, so it is refused.
 */
final class WireDmaSpace implements SharedDma {
  private static final System.Logger LOG = System.getLogger(WireDmaSpace.class.getName());
  private static final int MIN_BITS = 12;
  private static final int BOTH = Vfio.DMA_MAP_FLAG_READ | Vfio.DMA_MAP_FLAG_WRITE;

  private final DeviceName device;
  private final Wire wire;
  private final ResourceTracker tracker;
  private final long pageSize;

  /** Guarded by itself. */
  private final BusAddressAllocator addresses;

  /** By bus address: for a server that asks for what is in there, instead of mapping it. */
  private final NavigableMap<Long, MemorySegment> buffers =
      new ConcurrentSkipListMap<>(Long::compareUnsigned);

  private volatile long limit = -1; // the highest address, unsigned

  WireDmaSpace(DeviceName device, Wire wire, ResourceTracker tracker) {
    this.device = device;
    this.wire = wire;
    this.tracker = tracker;
    this.pageSize = wire.pageSize();
    this.addresses = new BusAddressAllocator(wholePages(wire.usable(), pageSize), pageSize);
  }

  @Override
  public DmaBuffer allocate(long size, long alignment) {
    if (size <= 0
        || size > Long.MAX_VALUE - pageSize
        || alignment <= 0
        || Long.bitCount(alignment) != 1) {
      throw new IllegalArgumentException(
          "%s: no DMA memory of %d bytes aligned to %d: a size above 0, and a power of two"
              .formatted(device, size, alignment));
    }
    return new Buffer(Math.ceilDiv(size, pageSize) * pageSize).establish(alignment);
  }

  @Override
  public DmaBuffer map(MemorySegment memory, DmaDirection direction) {
    CallersMemory.check(device, memory, pageSize, direction);
    throw callersMemory();
  }

  @Override
  public DmaBuffer mapAt(long busAddress, MemorySegment memory, DmaDirection direction) {
    CallersMemory.check(device, memory, pageSize, direction);
    throw callersMemory();
  }

  @Override
  public List<BusRange> usableRanges() {
    return wire.usable();
  }

  @Override
  public void limitTo(int bits) {
    if (bits < MIN_BITS || bits > Long.SIZE) {
      throw new IllegalArgumentException(device + ": no device drives " + bits + " address bits");
    }
    limit = -1L >>> (Long.SIZE - bits);
  }

  @Override
  public @Nullable MemorySegment find(long busAddress, long size) {
    Map.Entry<Long, MemorySegment> below = buffers.floorEntry(busAddress);
    if (below == null || size < 0) {
      return null;
    }
    long offset = busAddress - below.getKey();
    MemorySegment memory = below.getValue();
    // Negative where the address is in the other half of the 64 bits.
    return offset >= 0 && offset <= memory.byteSize() - size ? memory.asSlice(offset, size) : null;
  }

  private static List<BusRange> wholePages(List<BusRange> usable, long pageSize) {
    return usable.stream()
        .filter(
            range ->
                Long.compareUnsigned(
                        (range.last() + 1 & -pageSize) - 1,
                        (range.first() + pageSize - 1) & -pageSize)
                    > 0)
        .map(
            range ->
                new BusRange(
                    (range.first() + pageSize - 1) & -pageSize, (range.last() + 1 & -pageSize) - 1))
        .toList();
  }

  private DmaException callersMemory() {
    return failure(
        "memory of the caller's can't be shared with who serves the device",
        "allocate a buffer, and copy",
        null);
  }

  private DmaException failure(String problem, @Nullable String remedy, @Nullable Exception cause) {
    return new DmaException(device, problem, remedy, cause);
  }

  /** Memory from being made to being freed; either its owner or the device's close ends it. */
  private final class Buffer {
    private final long size;
    private @Nullable Mapping mapping;
    private long address;
    private boolean placed;
    private boolean mapped;
    private boolean ended;

    Buffer(long size) {
      this.size = size;
    }

    synchronized DmaBuffer establish(long alignment) {
      boolean done = false;
      try {
        // First, so that either a close of the device finds it, or this finds the device closed.
        tracker.add(this, new ResourceTracker.Resource.Buffer(size), this::end);
        MemorySegment memory = place(Math.max(alignment, pageSize));
        done = true;
        return new DmaBuffer(device, memory, address, this::end);
      } finally {
        if (!done) {
          end();
        }
      }
    }

    private MemorySegment place(long alignment) {
      try (Memfd file = Memfd.create("gatun DMA")) {
        file.resize(size);
        file.sealSize();
        Mapping made = file.map(size);
        mapping = made;
        made.populate();
        OptionalLong found;
        synchronized (addresses) {
          found = addresses.allocate(size, alignment, limit);
        }
        address =
            found.orElseThrow(
                () ->
                    failure(
                        "no 0x%x bytes of bus addresses are free, up to 0x%x, in %s"
                            .formatted(size, limit, wire.usable()),
                        "close buffers",
                        null));
        placed = true;
        wire.mapDma(BOTH, address, size, file.fd());
        mapped = true;
        buffers.put(address, made.segment());
        return made.segment();
      } catch (LinuxException e) {
        throw failure("no DMA memory of 0x%x bytes: %s".formatted(size, e.getMessage()), null, e);
      }
    }

    synchronized void end() {
      if (ended) {
        return;
      }
      ended = true;
      try {
        boolean reusable = true;
        if (mapped) {
          buffers.remove(address);
          reusable = unmap();
        }
        Mapping made = mapping;
        if (made != null) {
          made.close();
        }
        if (placed && reusable) {
          synchronized (addresses) {
            addresses.release(address, size);
          }
        }
      } catch (IllegalStateException e) {
        LOG.log(Level.WARNING, device + ": a DMA buffer is still in use: " + e.getMessage());
      } finally {
        tracker.remove(this);
      }
    }

    /** Whoever serves the device has the memory for himself, if he does not let go of it. */
    private boolean unmap() {
      try {
        wire.unmapDma(address, size);
        return true;
      } catch (DeviceGoneException _) {
        return false;
      } catch (LinuxException e) {
        LOG.log(Level.WARNING, device + ": " + e.getMessage());
        return false;
      }
    }
  }
}
