package org.gatun.vfiouser.client;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.OptionalLong;
import org.gatun.nativeaccess.Mapping;
import org.gatun.pci.BusRange;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaException;
import org.gatun.pci.spi.CallersMemory;
import org.gatun.pci.spi.ResourceTracker;
import org.gatun.vfio.common.BusAddressAllocator;
import org.gatun.vfiouser.Inherited;
import org.jspecify.annotations.Nullable;

/**
 * DMA memory that was there, and in the device's reach, before this process ran: buffers are parts
 * of it. Whoever serves the device is not told of them.
 */
final class InheritedDmaSpace implements SharedDma {
  private static final int MIN_BITS = 12;

  private final DeviceName device;
  private final ResourceTracker tracker;
  private final Mapping memory;
  private final BusRange range;
  private final long pageSize = Mapping.pageSize();

  /** Guarded by itself. */
  private final BusAddressAllocator addresses;

  private volatile long limit = -1; // the highest address, unsigned

  InheritedDmaSpace(DeviceName device, Inherited inherited, ResourceTracker tracker) {
    this.device = device;
    this.tracker = tracker;
    this.memory = inherited.memory();
    this.range =
        new BusRange(
            inherited.busAddress(), inherited.busAddress() + memory.segment().byteSize() - 1);
    this.addresses = new BusAddressAllocator(List.of(range), pageSize);
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
    Buffer buffer = new Buffer(Math.ceilDiv(size, pageSize) * pageSize);
    return buffer.establish(Math.max(alignment, pageSize));
  }

  @Override
  public DmaBuffer map(MemorySegment callers, DmaDirection direction) {
    CallersMemory.check(device, callers, pageSize, direction);
    throw failure("memory of the caller's is out of the device's reach", "allocate, and copy");
  }

  @Override
  public DmaBuffer mapAt(long busAddress, MemorySegment callers, DmaDirection direction) {
    CallersMemory.check(device, callers, pageSize, direction);
    throw failure("memory of the caller's is out of the device's reach", "allocate, and copy");
  }

  @Override
  public List<BusRange> usableRanges() {
    return List.of(range);
  }

  @Override
  public void limitTo(int bits) {
    if (bits < MIN_BITS || bits > Long.SIZE) {
      throw new IllegalArgumentException(device + ": no device drives " + bits + " address bits");
    }
    limit = -1L >>> (Long.SIZE - bits);
  }

  /** Null: the server has all of it. */
  @Override
  public @Nullable MemorySegment find(long busAddress, long size) {
    return null;
  }

  private DmaException failure(String problem, String remedy) {
    return new DmaException(device, problem, remedy, null);
  }

  /** A part in use; either its owner or the device's close ends that. */
  private final class Buffer {
    private final long size;
    private @Nullable Mapping part;
    private long address;
    private boolean placed;
    private boolean ended;

    Buffer(long size) {
      this.size = size;
    }

    synchronized DmaBuffer establish(long alignment) {
      boolean done = false;
      try {
        // First, so that either a close of the device finds it, or this finds the device closed.
        tracker.add(this, new ResourceTracker.Resource.Buffer(size), this::end);
        OptionalLong found;
        synchronized (addresses) {
          found = addresses.allocate(size, alignment, limit);
        }
        address =
            found.orElseThrow(
                () ->
                    failure(
                        "no 0x%x bytes are free, up to bus address 0x%x, of the 0x%x that this process was started with"
                            .formatted(size, limit, memory.segment().byteSize()),
                        "close buffers, or have it started with a larger quota"));
        placed = true;
        Mapping mine = memory.part(address - range.first(), size);
        part = mine;
        mine.segment().fill((byte) 0);
        done = true;
        return new DmaBuffer(device, mine.segment(), address, this::end);
      } finally {
        if (!done) {
          end();
        }
      }
    }

    synchronized void end() {
      if (ended) {
        return;
      }
      ended = true;
      try {
        Mapping mine = part;
        if (mine != null) {
          mine.close();
        }
        if (placed) {
          synchronized (addresses) {
            addresses.release(address, size);
          }
        }
      } finally {
        tracker.remove(this);
      }
    }
  }
}
