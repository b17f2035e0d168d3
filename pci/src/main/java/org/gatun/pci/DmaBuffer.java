package org.gatun.pci;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Memory that a device reaches at a bus address. Little-endian. Any thread; what orders accesses of
 * the driver and of the device is in the names of the methods.
 *
 * <p>There is no plain read here: the compiler hoists one out of a polling loop, and may read twice
 * what was checked once. Read single fields with acquire; copy structures out with {@link
 * #copyOut}, once, after the device said that it is done, and then check the copy.
 *
 * <p>Each access throws {@link DeviceGoneException} once the buffer or its device is closed, {@link
 * IndexOutOfBoundsException} if it is not wholly inside, and {@link IllegalArgumentException} if
 * the offset is not a multiple of the width, or if it writes memory that its owner gave as
 * read-only.
 */
public final class DmaBuffer implements AutoCloseable {
  private static final VarHandle CLOSED;

  static {
    try {
      CLOSED = MethodHandles.lookup().findVarHandle(DmaBuffer.class, "closed", boolean.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final DeviceName device;
  private final MemorySegment segment;
  private final long busAddress;
  private final Runnable release;

  @SuppressWarnings("unused") // through CLOSED
  private volatile boolean closed;

  /**
   * For backends.
   *
   * @param segment native
   * @param release run once, by the first {@link #close}: unmaps the memory from the device, and
   *     only then makes the segment inaccessible and frees it
   * @throws IllegalArgumentException if the segment is not native
   */
  public DmaBuffer(DeviceName device, MemorySegment segment, long busAddress, Runnable release) {
    if (!segment.isNative()) {
      throw new IllegalArgumentException(device + ": DMA needs native memory, not " + segment);
    }
    this.device = device;
    this.segment = segment;
    this.busAddress = busAddress;
    this.release = release;
  }

  /**
   * Where the device finds the first byte.
   *
   * @throws DeviceGoneException if the buffer is closed: what is at that address then is not its
   */
  public long busAddress() {
    if (closed) {
      throw new DeviceGoneException(device, "the bus address of " + this, null);
    }
    return busAddress;
  }

  /** In bytes. */
  public long size() {
    return segment.byteSize();
  }

  /**
   * The memory itself, to move bulk data in and out. Not for fields that the device changes: see
   * above.
   */
  public MemorySegment segment() {
    return segment;
  }

  /**
   * Reads 8 bits, before all later reads of this thread (acquire): what the device wrote before it
   * is then seen too.
   *
   * @param offset in bytes
   */
  public byte getByteAcquire(long offset) {
    try {
      return (byte) LittleEndian.BYTE.getAcquire(segment, offset);
    } catch (RuntimeException e) {
      throw failed(offset, e);
    }
  }

  /**
   * Writes 8 bits, after all earlier accesses of this thread (release): publishes them.
   *
   * @param offset in bytes
   */
  public void putByteRelease(long offset, byte value) {
    try {
      LittleEndian.BYTE.setRelease(segment, offset, value);
    } catch (RuntimeException e) {
      throw failed(offset, e);
    }
  }

  /**
   * Writes 8 bits that a later release, or a register write, will publish.
   *
   * @param offset in bytes
   */
  public void putByte(long offset, byte value) {
    try {
      LittleEndian.BYTE.set(segment, offset, value);
    } catch (RuntimeException e) {
      throw failed(offset, e);
    }
  }

  /**
   * Reads 16 bits, before all later reads of this thread (acquire): what the device wrote before it
   * is then seen too.
   *
   * @param offset in bytes, a multiple of 2
   */
  public short getShortAcquire(long offset) {
    try {
      return (short) LittleEndian.SHORT.getAcquire(segment, offset);
    } catch (RuntimeException e) {
      throw failed(offset, e);
    }
  }

  /**
   * Writes 16 bits, after all earlier accesses of this thread (release): publishes them.
   *
   * @param offset in bytes, a multiple of 2
   */
  public void putShortRelease(long offset, short value) {
    try {
      LittleEndian.SHORT.setRelease(segment, offset, value);
    } catch (RuntimeException e) {
      throw failed(offset, e);
    }
  }

  /**
   * Writes 16 bits that a later release, or a register write, will publish.
   *
   * @param offset in bytes, a multiple of 2
   */
  public void putShort(long offset, short value) {
    try {
      LittleEndian.SHORT.set(segment, offset, value);
    } catch (RuntimeException e) {
      throw failed(offset, e);
    }
  }

  /**
   * Reads 32 bits, before all later reads of this thread (acquire): what the device wrote before it
   * is then seen too.
   *
   * @param offset in bytes, a multiple of 4
   */
  public int getIntAcquire(long offset) {
    try {
      return (int) LittleEndian.INT.getAcquire(segment, offset);
    } catch (RuntimeException e) {
      throw failed(offset, e);
    }
  }

  /**
   * Writes 32 bits, after all earlier accesses of this thread (release): publishes them.
   *
   * @param offset in bytes, a multiple of 4
   */
  public void putIntRelease(long offset, int value) {
    try {
      LittleEndian.INT.setRelease(segment, offset, value);
    } catch (RuntimeException e) {
      throw failed(offset, e);
    }
  }

  /**
   * Writes 32 bits that a later release, or a register write, will publish.
   *
   * @param offset in bytes, a multiple of 4
   */
  public void putInt(long offset, int value) {
    try {
      LittleEndian.INT.set(segment, offset, value);
    } catch (RuntimeException e) {
      throw failed(offset, e);
    }
  }

  /**
   * Reads 64 bits, in one access, before all later reads of this thread (acquire): what the device
   * wrote before it is then seen too.
   *
   * @param offset in bytes, a multiple of 8
   */
  public long getLongAcquire(long offset) {
    try {
      return (long) LittleEndian.LONG.getAcquire(segment, offset);
    } catch (RuntimeException e) {
      throw failed(offset, e);
    }
  }

  /**
   * Writes 64 bits, in one access, after all earlier accesses of this thread (release): publishes
   * them.
   *
   * @param offset in bytes, a multiple of 8
   */
  public void putLongRelease(long offset, long value) {
    try {
      LittleEndian.LONG.setRelease(segment, offset, value);
    } catch (RuntimeException e) {
      throw failed(offset, e);
    }
  }

  /**
   * Writes 64 bits, in one access that a later release, or a register write, will publish.
   *
   * @param offset in bytes, a multiple of 8
   */
  public void putLong(long offset, long value) {
    try {
      LittleEndian.LONG.set(segment, offset, value);
    } catch (RuntimeException e) {
      throw failed(offset, e);
    }
  }

  /** Copies a part out, for instance a structure that the device has completed. */
  public void copyOut(long offset, byte[] target) {
    try {
      MemorySegment.copy(segment, ValueLayout.JAVA_BYTE, offset, target, 0, target.length);
    } catch (RuntimeException e) {
      throw failed(offset, e);
    }
  }

  /** Copies bytes in, for a later release or register write to publish. */
  public void copyIn(long offset, byte[] source) {
    try {
      MemorySegment.copy(source, 0, segment, ValueLayout.JAVA_BYTE, offset, source.length);
    } catch (RuntimeException e) {
      throw failed(offset, e);
    }
  }

  /** Takes the memory from the device, then frees it. Idempotent, from any thread. */
  @Override
  public void close() {
    if (CLOSED.compareAndSet(this, false, true)) {
      release.run();
    }
  }

  @Override
  public String toString() {
    return "%s DMA memory, %d bytes at bus address 0x%x".formatted(device, size(), busAddress);
  }

  private RuntimeException failed(long offset, RuntimeException cause) {
    String at = "DMA memory at offset 0x" + Long.toHexString(offset);
    return switch (cause) {
      case IndexOutOfBoundsException _ ->
          new IndexOutOfBoundsException(
              device + ": " + at + " is not inside the buffer of " + size() + " bytes");
      case IllegalArgumentException e ->
          new IllegalArgumentException(
              device
                  + ": "
                  + at
                  + " is not aligned to its width"
                  + (segment.isReadOnly() ? ", or is written, and the memory is read-only" : ""),
              e);
      case IllegalStateException e -> new DeviceGoneException(device, at, e);
      default -> cause;
    };
  }
}
