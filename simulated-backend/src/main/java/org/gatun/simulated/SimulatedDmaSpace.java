package org.gatun.simulated;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.gatun.pci.BusRange;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaException;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.spi.CallersMemory;
import org.gatun.pci.spi.RemoteDma;
import org.gatun.pci.spi.RemoteMemory;
import org.gatun.pci.spi.ResourceTracker;
import org.gatun.pci.spi.ResourceTracker.Resource;
import org.gatun.simulated.IommuDomain.Mapping;

/** The driver's side of an {@link IommuDomain}. */
final class SimulatedDmaSpace implements DmaSpace {
  private static final long PAGE = IommuDomain.PAGE;

  private final DeviceName device;
  private final IommuDomain domain;
  private final ResourceTracker buffers;

  /** The highest bus address that the device drives. */
  private volatile long limit = Long.MAX_VALUE;

  SimulatedDmaSpace(DeviceName device, IommuDomain domain, ResourceTracker buffers) {
    this.device = device;
    this.domain = domain;
    this.buffers = buffers;
  }

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
    long whole = (size + PAGE - 1) & -PAGE;
    Arena arena = Arena.ofShared();
    try {
      MemorySegment memory = arena.allocate(whole, PAGE);
      Mapping mapping =
          domain.map(device, memory, Math.max(alignment, PAGE), limit, DmaDirection.BIDIRECTIONAL);
      return buffer(memory, mapping, arena::close);
    } catch (OutOfMemoryError e) {
      arena.close();
      throw new DmaException(
          device, "no memory for a DMA buffer of " + whole + " bytes: " + e.getMessage(), null, e);
    } catch (DmaException e) {
      arena.close();
      throw e;
    }
  }

  @Override
  public DmaBuffer map(MemorySegment memory, DmaDirection direction) {
    CallersMemory.check(device, memory, PAGE, direction);
    return buffer(memory, domain.map(device, memory, PAGE, limit, direction), () -> {});
  }

  @Override
  public DmaBuffer mapAt(long busAddress, MemorySegment memory, DmaDirection direction) {
    CallersMemory.check(device, memory, PAGE, direction);
    checkAddress(busAddress);
    Mapping mapping = domain.mapAt(device, domain.mapping(busAddress, memory, direction), limit);
    return buffer(memory, mapping, () -> {});
  }

  @Override
  public Optional<RemoteDma> remote() {
    return Optional.of(this::mapRemote);
  }

  private RemoteDma.Window mapRemote(
      long busAddress, long size, RemoteMemory memory, DmaDirection direction) {
    checkAddress(busAddress);
    if (size <= 0 || size % PAGE != 0) {
      throw new IllegalArgumentException(
          "%s: DMA maps whole pages of %d bytes, not 0x%x".formatted(device, PAGE, size));
    }
    Mapping mapping =
        domain.mapAt(device, domain.mapping(busAddress, size, memory, direction), limit);
    Object key = new Object();
    AtomicBoolean open = new AtomicBoolean(true);
    RemoteDma.Window window =
        () -> {
          if (open.getAndSet(false)) {
            domain.unmap(mapping);
            buffers.remove(key);
          }
        };
    try {
      buffers.add(key, new Resource.Buffer(size), window::close);
    } catch (DeviceGoneException e) {
      window.close();
      throw e;
    }
    return window;
  }

  @Override
  public List<BusRange> usableRanges() {
    return IommuDomain.USABLE;
  }

  @Override
  public void limitTo(int bits) {
    if (bits < 12 || bits > 64) {
      throw new IllegalArgumentException(
          device + ": a device drives 12 to 64 address bits, not " + bits);
    }
    limit = bits >= Long.SIZE - 1 ? Long.MAX_VALUE : (1L << bits) - 1;
  }

  private DmaBuffer buffer(MemorySegment memory, Mapping mapping, Runnable free) {
    Object key = new Object();
    DmaBuffer buffer =
        new DmaBuffer(
            device,
            memory,
            mapping.first,
            () -> {
              domain.unmap(mapping);
              free.run();
              buffers.remove(key);
            });
    try {
      buffers.add(key, new Resource.Buffer(memory.byteSize()), buffer::close);
    } catch (DeviceGoneException e) {
      buffer.close();
      throw e;
    }
    return buffer;
  }

  private void checkAddress(long busAddress) {
    if (busAddress % PAGE != 0) {
      throw new IllegalArgumentException(
          "%s: bus address 0x%x is not a multiple of %d".formatted(device, busAddress, PAGE));
    }
  }
}
