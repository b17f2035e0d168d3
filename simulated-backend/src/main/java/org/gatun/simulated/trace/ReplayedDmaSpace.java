package org.gatun.simulated.trace;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.gatun.pci.BusRange;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaException;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.spi.CallersMemory;
import org.gatun.pci.spi.ResourceTracker;
import org.gatun.pci.spi.ResourceTracker.Resource;
import org.gatun.simulated.trace.Access.Kind;

/** The memory of a replayed device, at the bus addresses of the recording. */
record ReplayedDmaSpace(
    ReplayedDevice device,
    Script script,
    ReplayedMemory memory,
    List<BusRange> usableRanges,
    ResourceTracker given)
    implements DmaSpace {
  private static final long PAGE = Recording.LONGEST;

  @Override
  @SuppressWarnings("MustBeClosed") // the buffer closes it
  public DmaBuffer allocate(long size, long alignment) {
    if (size <= 0
        || size > Long.MAX_VALUE - PAGE
        || Long.bitCount(alignment) != 1
        || alignment < 0) {
      throw new IllegalArgumentException(
          "%s: no DMA memory of %d bytes aligned to %d: a size above 0, and a power of two"
              .formatted(device, size, alignment));
    }
    device.check("DMA memory");
    long whole = (size + PAGE - 1) & -PAGE;
    script.checkAllocation(Kind.ALLOCATE, whole, alignment);
    Arena arena = Arena.ofShared();
    try {
      MemorySegment segment = arena.allocate(whole, PAGE);
      return buffer(Kind.ALLOCATE, segment, alignment, arena::close);
    } catch (OutOfMemoryError e) {
      arena.close();
      throw new DmaException(
          device.name(), "no memory for a DMA buffer of " + whole + " bytes", null, e);
    } catch (ReplayMismatchException e) {
      arena.close();
      throw e;
    }
  }

  @Override
  public DmaBuffer map(MemorySegment segment, DmaDirection direction) {
    CallersMemory.check(device.name(), segment, PAGE, direction);
    device.check("DMA memory");
    return buffer(Kind.MAP, segment, PAGE, () -> {});
  }

  @Override
  public DmaBuffer mapAt(long busAddress, MemorySegment segment, DmaDirection direction) {
    throw new DmaException(
        device.name(), "a replayed device chooses bus addresses itself", "use map", null);
  }

  @Override
  public void limitTo(int bits) {
    device.check("DMA");
  }

  private DmaBuffer buffer(Kind kind, MemorySegment segment, long alignment, Runnable free) {
    long busAddress = script.allocate(kind, segment, alignment);
    Object key = new Object();
    DmaBuffer buffer =
        new DmaBuffer(
            device.name(),
            segment,
            busAddress,
            () -> {
              memory.remove(busAddress);
              free.run();
              given.remove(key);
            });
    try {
      given.add(key, new Resource.Buffer(segment.byteSize()), buffer::close);
    } catch (DeviceGoneException e) {
      buffer.close();
      throw e;
    }
    return buffer;
  }
}
