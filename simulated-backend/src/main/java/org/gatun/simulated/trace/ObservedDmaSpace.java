package org.gatun.simulated.trace;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import org.gatun.pci.BusRange;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.spi.RemoteDma;
import org.gatun.simulated.trace.Access.Kind;

/** The memory of a device: it is seen what is made and given back, not what is in it. */
record ObservedDmaSpace(DeviceName device, DmaSpace dma, Observer observer) implements DmaSpace {
  @Override
  public DmaBuffer allocate(long size, long alignment) {
    return seen(Kind.ALLOCATE, dma.allocate(size, alignment));
  }

  @Override
  public DmaBuffer map(MemorySegment memory, DmaDirection direction) {
    return seen(Kind.MAP, dma.map(memory, direction));
  }

  @Override
  public DmaBuffer mapAt(long busAddress, MemorySegment memory, DmaDirection direction) {
    return seen(Kind.MAP, dma.mapAt(busAddress, memory, direction));
  }

  @Override
  public List<BusRange> usableRanges() {
    return dma.usableRanges();
  }

  @Override
  public void limitTo(int bits) {
    dma.limitTo(bits);
  }

  @Override
  public Optional<RemoteDma> remote() {
    return dma.remote();
  }

  private DmaBuffer seen(Kind kind, DmaBuffer buffer) {
    long busAddress = buffer.busAddress();
    long size = buffer.size();
    observer.saw(kind, 0, busAddress, size, 0);
    return new DmaBuffer(
        device,
        buffer.segment(),
        busAddress,
        () -> {
          buffer.close();
          observer.saw(Kind.FREE, 0, busAddress, size, 0);
        });
  }
}
