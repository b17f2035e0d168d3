package org.gatun.simulated;

import java.lang.foreign.MemorySegment;
import org.gatun.pci.DmaDirection;
import org.gatun.simulated.trace.Access.Kind;
import org.gatun.simulated.trace.Tracer;

/** A port whose DMA is written into a trace. */
final class TracedDmaPort extends IommuPort {
  private final Tracer tracer;

  /** Whether the access in progress was refused. */
  private boolean refused;

  TracedDmaPort(BusMaster master, Tracer tracer) {
    super(master);
    this.tracer = tracer;
  }

  @Override
  public boolean read(long busAddress, MemorySegment target, long targetOffset, long length) {
    boolean done = super.read(busAddress, target, targetOffset, length);
    trace(Kind.DEVICE_READ, Kind.REFUSED_READ, busAddress, length);
    return done;
  }

  @Override
  public boolean write(long busAddress, MemorySegment source, long sourceOffset, long length) {
    boolean done = super.write(busAddress, source, sourceOffset, length);
    trace(Kind.DEVICE_WRITE, Kind.REFUSED_WRITE, busAddress, length);
    return done;
  }

  @Override
  public long readLong(long busAddress, long ifRefused) {
    long value = super.readLong(busAddress, ifRefused);
    trace(Kind.DEVICE_READ, Kind.REFUSED_READ, busAddress, Long.BYTES);
    return value;
  }

  @Override
  public boolean writeLong(long busAddress, long value) {
    boolean done = super.writeLong(busAddress, value);
    trace(Kind.DEVICE_WRITE, Kind.REFUSED_WRITE, busAddress, Long.BYTES);
    return done;
  }

  /** Two accesses. */
  @Override
  public boolean writeLongs(long busAddress, long first, long second) {
    return writeLong(busAddress, first) && writeLong(busAddress + Long.BYTES, second);
  }

  @Override
  void refuse(long busAddress, long size, DmaDirection direction) {
    refused = true;
    super.refuse(busAddress, size, direction);
  }

  private void trace(Kind ifDone, Kind ifRefused, long busAddress, long length) {
    tracer.saw(refused ? ifRefused : ifDone, 0, busAddress, length, 0);
    refused = false;
  }
}
