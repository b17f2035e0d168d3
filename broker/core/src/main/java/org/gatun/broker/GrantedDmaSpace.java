package org.gatun.broker;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import org.gatun.pci.BusRange;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.spi.RemoteDma;

/** DMA memory within a quota. The buffers are the backend's memory, with nothing in between. */
final class GrantedDmaSpace implements DmaSpace {
  private static final long PAGE = 4096;

  private final DeviceName device;
  private final DmaSpace inner;
  private final Gate gate;
  private final QuotaAccount quota;
  private final Activity activity;

  /** What this device uses of the guest's quota. Guarded by this, as is the end of it. */
  private long bytes;

  private int mappings;
  private boolean ended;

  GrantedDmaSpace(
      DeviceName device, DmaSpace inner, Gate gate, QuotaAccount quota, Activity activity) {
    this.device = device;
    this.inner = inner;
    this.gate = gate;
    this.quota = quota;
    this.activity = activity;
  }

  @Override
  public DmaBuffer allocate(long size, long alignment) {
    long whole = size > 0 && size <= Long.MAX_VALUE - PAGE ? (size + PAGE - 1) & -PAGE : 0;
    return within(whole, () -> inner.allocate(size, alignment));
  }

  @Override
  public DmaBuffer map(MemorySegment memory, DmaDirection direction) {
    return within(memory.byteSize(), () -> inner.map(memory, direction));
  }

  @Override
  public DmaBuffer mapAt(long busAddress, MemorySegment memory, DmaDirection direction) {
    return within(memory.byteSize(), () -> inner.mapAt(busAddress, memory, direction));
  }

  @Override
  public List<BusRange> usableRanges() {
    gate.check("DMA ranges");
    return inner.usableRanges();
  }

  @Override
  public void limitTo(int bits) {
    long stamp = gate.enter("DMA limit");
    try {
      inner.limitTo(bits);
    } finally {
      gate.leave(stamp);
    }
  }

  @Override
  public Optional<RemoteDma> remote() {
    return inner
        .remote()
        .map(
            dma ->
                (busAddress, size, memory, direction) ->
                    remoteWithin(size, () -> dma.mapAt(busAddress, size, memory, direction)));
  }

  /** The device was taken back, with all of its buffers: what they used is free for others. */
  synchronized void end() {
    ended = true;
    quota.giveBack(bytes, mappings);
  }

  private RemoteDma.Window remoteWithin(long size, Supplier<RemoteDma.Window> maker) {
    long stamp = gate.enter("DMA memory");
    try {
      take(size);
      RemoteDma.Window window = null;
      try {
        window = maker.get();
      } finally {
        if (window == null) {
          giveBack(size);
        }
      }
      RemoteDma.Window made = window;
      AtomicBoolean open = new AtomicBoolean(true);
      return () -> {
        made.close();
        if (open.getAndSet(false)) {
          giveBack(size);
        }
      };
    } finally {
      gate.leave(stamp);
    }
  }

  private DmaBuffer within(long size, Supplier<DmaBuffer> maker) {
    long stamp = gate.enter("DMA memory");
    try {
      take(size);
      DmaBuffer buffer = null;
      try {
        buffer = maker.get();
      } finally {
        if (buffer == null) {
          giveBack(size);
        }
      }
      DmaBuffer made = buffer;
      activity.dmaMapped(made.busAddress(), size);
      return new DmaBuffer(
          device,
          made.segment(),
          made.busAddress(),
          () -> {
            try {
              made.close();
            } finally {
              giveBack(size);
            }
          });
    } finally {
      gate.leave(stamp);
    }
  }

  private synchronized void take(long size) {
    if (ended) {
      throw new DeviceGoneException(device, "DMA memory", null);
    }
    quota.take(device, size);
    bytes += size;
    mappings++;
  }

  private synchronized void giveBack(long size) {
    if (!ended) {
      bytes -= size;
      mappings--;
      quota.giveBack(size, 1);
    }
  }
}
