package org.gatun.pci;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Registers of a device: a mapped range of a memory BAR.
 *
 * <p>One call is one bus access of exactly that width, little-endian. Accesses are never merged,
 * split, repeated, left out or reordered among themselves; the one exception is a read whose value
 * the caller throws away, which the compiler may delete: see {@link #readDiscard32}.
 *
 * <p>Ordering. A write is seen by the device after all earlier writes, of the same thread, to DMA
 * memory; a read is done before all later reads of DMA memory. That is release and acquire, and no
 * more: a write may be seen after a <em>later read</em> of DMA memory or of another register range.
 * Where a write must be seen before a later read, put {@link VarHandle#fullFence()} between them.
 * On x86-64 register memory is mapped uncached, both are plain moves, and all of this holds. On
 * AArch64 they are load-acquire and store-release, which order the inner shareable domain; a device
 * may want an outer-shareable barrier, and whether HotSpot's fences are enough there is not proven.
 *
 * <p>Used by any thread, several at a time. Offsets count from the start of the mapped range.
 *
 * <p>Each access throws
 *
 * <ul>
 *   <li>{@link DeviceGoneException} after {@link #close}, after the device was closed or revoked,
 *       or when the bus reports an error. A direct range whose memory goes away under a running
 *       access may deliver this late, as an {@link InternalError} at the thread's next safepoint,
 *       after garbage was returned: a thread that drives a device has a handler for it at its top;
 *   <li>{@link IndexOutOfBoundsException} if the access is not wholly inside the range;
 *   <li>{@link IllegalArgumentException} if the offset is not a multiple of the width.
 * </ul>
 *
 * <p>Final, with one null check to tell direct from trapped, because that is what keeps an access
 * at the cost of the bare memory access whatever else the program has loaded.
 */
public final class Mmio implements AutoCloseable {
  private static final VarHandle DISCARDED;
  private static final VarHandle CLOSED;

  static {
    try {
      MethodHandles.Lookup lookup = MethodHandles.lookup();
      DISCARDED = lookup.findVarHandle(Mmio.class, "discarded", int.class);
      CLOSED = lookup.findVarHandle(Mmio.class, "closed", boolean.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final DeviceName name;
  private final @Nullable MemorySegment segment;
  private final @Nullable RegisterHandler handler;
  private final long size;
  private final Runnable release;
  private volatile boolean closed;

  /** How far a trapped access may go: the size, and nowhere once it is closed. */
  private volatile long limit;

  @SuppressWarnings("unused") // written through DISCARDED
  private int discarded;

  private Mmio(
      DeviceName name,
      @Nullable MemorySegment segment,
      @Nullable RegisterHandler handler,
      long size,
      Runnable release) {
    this.name = name;
    this.segment = segment;
    this.handler = handler;
    this.size = size;
    this.limit = size;
    this.release = release;
  }

  /**
   * Registers that are mapped memory.
   *
   * @param segment native and writeable. A heap segment, passed once, would slow every access of
   *     the program down several times
   * @param release run once, by the first {@link #close}: makes the segment inaccessible (closes
   *     its arena) and gives it back
   * @throws IllegalArgumentException if the segment is not native, or read-only
   */
  public static Mmio direct(DeviceName name, MemorySegment segment, Runnable release) {
    if (!segment.isNative() || segment.isReadOnly()) {
      throw new IllegalArgumentException(
          name + ": registers need a native, writeable segment, not " + segment);
    }
    return new Mmio(name, segment, null, segment.byteSize(), release);
  }

  /**
   * Registers that a handler serves.
   *
   * @param size in bytes
   * @param release run once, by the first {@link #close}
   */
  public static Mmio trapped(
      DeviceName name, long size, RegisterHandler handler, Runnable release) {
    return new Mmio(name, null, Objects.requireNonNull(handler), size, release);
  }

  /** The device that the registers belong to. */
  public DeviceName name() {
    return name;
  }

  /** The size of the range in bytes. */
  public long size() {
    return size;
  }

  /** Whether an access goes straight to mapped memory; else a handler serves it. */
  public boolean isDirect() {
    return segment != null;
  }

  /**
   * Reads 8 bits, zero-extended.
   *
   * @param offset in bytes
   */
  public int read8(long offset) {
    MemorySegment direct = segment;
    if (direct != null) {
      try {
        return Byte.toUnsignedInt((byte) LittleEndian.BYTE.getAcquire(direct, offset));
      } catch (RuntimeException | InternalError e) {
        throw failed("read8", offset, e);
      }
    }
    return (int) trappedRead(offset, 1) & 0xff;
  }

  /**
   * Writes the low 8 bits of a value.
   *
   * @param offset in bytes
   */
  public void write8(long offset, int value) {
    MemorySegment direct = segment;
    if (direct != null) {
      try {
        LittleEndian.BYTE.setRelease(direct, offset, (byte) value);
        return;
      } catch (RuntimeException | InternalError e) {
        throw failed("write8", offset, e);
      }
    }
    trappedWrite(offset, 1, value);
  }

  /**
   * Reads 16 bits, zero-extended.
   *
   * @param offset in bytes, a multiple of 2
   */
  public int read16(long offset) {
    MemorySegment direct = segment;
    if (direct != null) {
      try {
        return Short.toUnsignedInt((short) LittleEndian.SHORT.getAcquire(direct, offset));
      } catch (RuntimeException | InternalError e) {
        throw failed("read16", offset, e);
      }
    }
    return (int) trappedRead(offset, 2) & 0xffff;
  }

  /**
   * Writes the low 16 bits of a value.
   *
   * @param offset in bytes, a multiple of 2
   */
  public void write16(long offset, int value) {
    MemorySegment direct = segment;
    if (direct != null) {
      try {
        LittleEndian.SHORT.setRelease(direct, offset, (short) value);
        return;
      } catch (RuntimeException | InternalError e) {
        throw failed("write16", offset, e);
      }
    }
    trappedWrite(offset, 2, value);
  }

  /**
   * Reads 32 bits.
   *
   * @param offset in bytes, a multiple of 4
   */
  public int read32(long offset) {
    MemorySegment direct = segment;
    if (direct != null) {
      try {
        return (int) LittleEndian.INT.getAcquire(direct, offset);
      } catch (RuntimeException | InternalError e) {
        throw failed("read32", offset, e);
      }
    }
    return (int) trappedRead(offset, 4);
  }

  /**
   * Writes 32 bits.
   *
   * @param offset in bytes, a multiple of 4
   */
  public void write32(long offset, int value) {
    MemorySegment direct = segment;
    if (direct != null) {
      try {
        LittleEndian.INT.setRelease(direct, offset, value);
        return;
      } catch (RuntimeException | InternalError e) {
        throw failed("write32", offset, e);
      }
    }
    trappedWrite(offset, 4, value);
  }

  /**
   * Reads 64 bits, in one access.
   *
   * @param offset in bytes, a multiple of 8
   */
  public long read64(long offset) {
    MemorySegment direct = segment;
    if (direct != null) {
      try {
        return (long) LittleEndian.LONG.getAcquire(direct, offset);
      } catch (RuntimeException | InternalError e) {
        throw failed("read64", offset, e);
      }
    }
    return trappedRead(offset, 8);
  }

  /**
   * Writes 64 bits, in one access.
   *
   * @param offset in bytes, a multiple of 8
   */
  public void write64(long offset, long value) {
    MemorySegment direct = segment;
    if (direct != null) {
      try {
        LittleEndian.LONG.setRelease(direct, offset, value);
        return;
      } catch (RuntimeException | InternalError e) {
        throw failed("write64", offset, e);
      }
    }
    trappedWrite(offset, 8, value);
  }

  /**
   * Reads 32 bits for the side effect: a register that is cleared by reading, or a read that makes
   * sure that earlier writes have arrived. The compiler deletes a {@link #read32} whose value is
   * not used; it does not delete this.
   *
   * @param offset in bytes, a multiple of 4
   */
  public void readDiscard32(long offset) {
    // An opaque store is never deleted, so neither is the load that it depends on.
    DISCARDED.setOpaque(this, read32(offset));
  }

  /** Ends the mapping, for all threads. Idempotent, from any thread. */
  @Override
  public void close() {
    if (CLOSED.compareAndSet(this, false, true)) {
      limit = -1;
      release.run();
    }
  }

  @Override
  public String toString() {
    return "%s registers, %d bytes, %s".formatted(name, size, isDirect() ? "direct" : "trapped");
  }

  private long trappedRead(long offset, int width) {
    return checkedHandler("read", offset, width).read(offset, width);
  }

  private void trappedWrite(long offset, int width, long value) {
    checkedHandler("write", offset, width).write(offset, width, value);
  }

  private RegisterHandler checkedHandler(String operation, long offset, int width) {
    RegisterHandler trapped = Objects.requireNonNull(handler);
    if (offset < 0 || offset > limit - width) {
      throw closed
          ? new DeviceGoneException(name, at(operation + width * 8, offset), null)
          : new IndexOutOfBoundsException(outOfBounds(operation + width * 8, offset));
    }
    if ((offset & (width - 1)) != 0) {
      throw new IllegalArgumentException(misaligned(operation + width * 8, offset));
    }
    return trapped;
  }

  private RuntimeException failed(String operation, long offset, Throwable cause) {
    return switch (cause) {
      case IndexOutOfBoundsException e ->
          new IndexOutOfBoundsException(outOfBounds(operation, offset));
      case IllegalArgumentException e ->
          new IllegalArgumentException(misaligned(operation, offset), e);
      // The arena is closed, or (InternalError) the bus answered with an error.
      case IllegalStateException e -> new DeviceGoneException(name, at(operation, offset), e);
      case InternalError e -> new DeviceGoneException(name, at(operation, offset), e);
      case RuntimeException e -> e;
      default -> throw new AssertionError(cause);
    };
  }

  private String outOfBounds(String operation, long offset) {
    return name + ": " + at(operation, offset) + " is not inside the range of " + size + " bytes";
  }

  private String misaligned(String operation, long offset) {
    return name + ": " + at(operation, offset) + " is not aligned to its width";
  }

  private static String at(String operation, long offset) {
    return operation + " at offset 0x" + Long.toHexString(offset);
  }
}
