package org.gatun.simulated.trace;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.gatun.pci.BusRange;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.spi.CallersMemory;
import org.gatun.pci.spi.RemoteDma;
import org.gatun.pci.spi.ResourceTracker;
import org.gatun.pci.spi.ResourceTracker.Resource;

/** DMA memory of which the driver gets another copy than the device. */
final class ShadowDmaSpace implements DmaSpace {
  private static final long PAGE = Recording.LONGEST;

  private final DeviceName device;
  private final DmaSpace dma;
  private final RecordingSession session;
  private final ResourceTracker buffers;

  ShadowDmaSpace(DeviceName device, DmaSpace dma, RecordingSession session) {
    this.device = device;
    this.dma = dma;
    this.session = session;
    this.buffers = new ResourceTracker(device);
  }

  @Override
  @SuppressWarnings("MustBeClosed") // the buffer closes it
  public DmaBuffer allocate(long size, long alignment) {
    DmaBuffer memory = dma.allocate(size, alignment);
    Arena arena = Arena.ofShared();
    MemorySegment driver = arena.allocate(memory.size(), PAGE);
    return shadow(Access.Kind.ALLOCATE, memory, driver, arena);
  }

  @Override
  public DmaBuffer map(MemorySegment memory, DmaDirection direction) {
    return mapped(memory, direction, other -> dma.map(other, direction));
  }

  @Override
  public DmaBuffer mapAt(long busAddress, MemorySegment memory, DmaDirection direction) {
    return mapped(memory, direction, other -> dma.mapAt(busAddress, other, direction));
  }

  @Override
  public List<BusRange> usableRanges() {
    return dma.usableRanges();
  }

  @Override
  public void limitTo(int bits) {
    dma.limitTo(bits);
  }

  /** Memory that is reached by calls can't be compared with what it was. */
  @Override
  public Optional<RemoteDma> remote() {
    return Optional.empty();
  }

  /** The device is closed. */
  void close() {
    buffers.closeAll();
  }

  /** The driver's own memory: the device gets other. */
  @SuppressWarnings("MustBeClosed") // the buffer closes it
  private DmaBuffer mapped(
      MemorySegment memory, DmaDirection direction, Function<MemorySegment, DmaBuffer> map) {
    CallersMemory.check(device, memory, PAGE, direction);
    Arena arena = Arena.ofShared();
    DmaBuffer other;
    try {
      other = map.apply(arena.allocate(memory.byteSize(), PAGE));
    } catch (RuntimeException e) {
      arena.close();
      throw e;
    }
    return shadow(Access.Kind.MAP, other, memory, arena);
  }

  private DmaBuffer shadow(Access.Kind kind, DmaBuffer memory, MemorySegment driver, Arena arena) {
    long busAddress = memory.busAddress();
    long size = memory.size();
    ShadowMemory shadow = new ShadowMemory(busAddress, driver, memory.segment(), arena);
    Object key = new Object();
    DmaBuffer buffer =
        new DmaBuffer(
            device,
            driver,
            busAddress,
            () -> {
              session.remove(shadow);
              // Before others can have the same bus addresses.
              session.saw(Access.Kind.FREE, 0, busAddress, size, 0);
              memory.close();
              arena.close();
              buffers.remove(key);
            });
    session.add(shadow);
    session.saw(kind, 0, busAddress, size, 0);
    try {
      buffers.add(key, new Resource.Buffer(size), buffer::close);
    } catch (DeviceGoneException e) {
      buffer.close();
      throw e;
    }
    return buffer;
  }
}
