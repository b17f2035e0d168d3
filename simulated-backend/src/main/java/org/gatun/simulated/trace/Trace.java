package org.gatun.simulated.trace;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.jspecify.annotations.Nullable;

/**
 * The last accesses of some devices, in a ring buffer: older ones are overwritten. Any thread.
 *
 * <pre>{@code
 * Trace trace = new Trace(4096, TimeSource.system());
 * try (PciDevice device = trace.watch(Backends.open(name))) {
 *   ...
 * } finally {
 *   System.err.print(trace.snapshot().text());
 * }
 * }</pre>
 *
 * <p>What a real device does by DMA can't be seen; what one on a simulated bus does can, see {@link
 * org.gatun.simulated.SimulatedBus#traceDma}.
 */
public final class Trace {
  /** Number + 1, time, device and space, address, length, value. */
  private static final int FIELDS = 6;

  private static final long IN_WRITING = -1;
  private static final int MAX_CAPACITY = 1 << 24;

  private static final VarHandle LONGS = MethodHandles.arrayElementVarHandle(long[].class);
  private static final VarHandle NEXT;

  static {
    try {
      NEXT = MethodHandles.lookup().findVarHandle(Trace.class, "next", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final TimeSource time;
  private final int mask;
  private final long[] fields;
  private final Access.@Nullable Kind[] kinds;
  private final @Nullable Thread[] threads;
  private final List<DeviceName> devices = new CopyOnWriteArrayList<>();

  @SuppressWarnings("unused") // through NEXT
  private volatile long next;

  /**
   * @param capacity how many accesses it keeps: rounded up to a power of two, 56 bytes each
   * @param time the clock, which says when they were
   * @throws IllegalArgumentException if the capacity is not 1 to 16 Mi
   */
  public Trace(int capacity, TimeSource time) {
    if (capacity < 1 || capacity > MAX_CAPACITY) {
      throw new IllegalArgumentException(
          "a trace keeps 1 to %d accesses, not %d".formatted(MAX_CAPACITY, capacity));
    }
    int slots = Integer.highestOneBit(capacity * 2 - 1);
    this.time = time;
    this.mask = slots - 1;
    this.fields = new long[slots * FIELDS];
    this.kinds = new Access.Kind[slots];
    this.threads = new Thread[slots];
  }

  /**
   * The same device, watched: what is done through what this returns is traced. Its BARs are
   * trapped, whatever they were, and are shared with nobody.
   *
   * @param device is taken over: closing what is returned closes it, too
   */
  public PciDevice watch(PciDevice device) {
    Tracer tracer = tracer(device.name());
    return new ObservedDevice(
        device, tracer, new ObservedDmaSpace(device.name(), device.dma(), tracer));
  }

  /** Writes down what a device does, for those who see it do so. */
  public synchronized Tracer tracer(DeviceName device) {
    int index = devices.indexOf(device);
    if (index < 0) {
      index = devices.size();
      devices.add(device);
    }
    return new Tracer(this, index);
  }

  /** What it has now. Accesses that are being written down are left out. */
  public TraceSnapshot snapshot() {
    return snapshot(0);
  }

  /**
   * What it has now of the accesses from a number on; those before are lost.
   *
   * @param first a {@link TraceRecord#number}, for instance the one after the last that was seen
   */
  public TraceSnapshot snapshot(long first) {
    long end = next;
    List<TraceRecord> records = new ArrayList<>();
    for (long number = Math.max(first, end - mask - 1); number < end; number++) {
      TraceRecord record = read(number);
      if (record != null) {
        records.add(record);
      }
    }
    return new TraceSnapshot(records, end - records.size());
  }

  void record(int device, Access.Kind kind, int space, long address, long length, long value) {
    long number = (long) NEXT.getAndAdd(this, 1L);
    int slot = (int) number & mask;
    int at = slot * FIELDS;
    if ((long) LONGS.getAndSet(fields, at, IN_WRITING) == IN_WRITING) {
      // Somebody is so slow that the others came round once: one of the two records is lost.
      return;
    }
    fields[at + 1] = time.nanoTime();
    fields[at + 2] = (long) device << 8 | (space & 0xff);
    fields[at + 3] = address;
    fields[at + 4] = length;
    fields[at + 5] = value;
    kinds[slot] = kind;
    threads[slot] = Thread.currentThread();
    LONGS.setRelease(fields, at, number + 1);
  }

  /** Null if it is not there, or not any more when all of it was read. */
  private @Nullable TraceRecord read(long number) {
    int slot = (int) number & mask;
    int at = slot * FIELDS;
    if ((long) LONGS.getAcquire(fields, at) != number + 1) {
      return null;
    }
    long nanos = fields[at + 1];
    long what = fields[at + 2];
    long address = fields[at + 3];
    long length = fields[at + 4];
    long value = fields[at + 5];
    Access.Kind kind = kinds[slot];
    Thread thread = threads[slot];
    VarHandle.loadLoadFence();
    if ((long) LONGS.getOpaque(fields, at) != number + 1 || kind == null || thread == null) {
      return null;
    }
    Access access = new Access(kind, (byte) what, address, length, value);
    return new TraceRecord(
        number,
        nanos,
        thread.threadId(),
        thread.getName(),
        devices.get((int) (what >>> 8)),
        access);
  }
}
