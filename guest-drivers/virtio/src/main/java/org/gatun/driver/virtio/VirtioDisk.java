package org.gatun.driver.virtio;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DeviceTimeoutException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Mmio;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.specs.virtio.VirtioBlock;
import org.gatun.specs.virtio.VirtioType;
import org.jspecify.annotations.Nullable;

/**
 * A virtio disk (Virtual I/O Device, Version 1.2, 5.2), by its first queue.
 *
 * <p>Used by one thread at a time, except for {@link #close}. Requests are submitted, rung for and
 * polled for; or carried out one by one: {@link #read} and its like, which must not be called while
 * others are in flight. Errors are
 *
 * <ul>
 *   <li>{@link DeviceTimeoutException} if a request takes longer than the options say, or if the
 *       thread is interrupted (its flag stays set). The driver is to be closed then, which resets
 *       the device: until then it may still write memory;
 *   <li>{@link DeviceProtocolException} if the device answers what its specification rules out, or
 *       says that a request has failed;
 *   <li>{@link org.gatun.pci.DeviceGoneException} if the device is gone, or if this was closed.
 * </ul>
 */
public final class VirtioDisk implements AutoCloseable {
  private static final long WANTED =
      VirtioBlock.FEATURE_SIZE_MAX
          | VirtioBlock.FEATURE_READ_ONLY
          | VirtioBlock.FEATURE_BLOCK_SIZE
          | VirtioBlock.FEATURE_FLUSH
          | VirtioBlock.FEATURE_DISCARD
          | VirtioBlock.FEATURE_WRITE_ZEROES;

  /** Header, data, status. */
  private static final int DESCRIPTORS = 3;

  // Each slot has memory of its own: header, segment of a discard, status, serial number.
  private static final int SLOT_SIZE = 64;
  private static final int SEGMENT = 16;
  private static final int STATUS = 32;
  private static final int ID = 40;

  private static final int PAGE = 4096;

  /** Of one request: what is scattered behind an IOMMU has many pieces for the device. */
  private static final int MOST = 1 << 20;

  /** What no device says of itself. */
  private static final int NOT_DONE = 0xff;

  private final Transport transport;
  private final Mmio config;
  private final Virtqueue queue;
  private final DmaBuffer slots;
  private final long sectors;
  private final int blockSize;
  private final long maxTransfer;
  private final @Nullable VirtioCallback[] callbacks;
  private final long[] contexts;

  /** How many bytes the device writes for what is in a slot, its status included. */
  private final int[] writable;

  private VirtioDisk(Transport transport, Virtqueue queue, DmaBuffer slots) {
    this.transport = transport;
    this.queue = queue;
    this.slots = slots;
    this.config = transport.config(configSize(transport));
    this.sectors = transport.read64(config, VirtioBlock.CAPACITY);
    this.blockSize =
        transport.has(VirtioBlock.FEATURE_BLOCK_SIZE)
            ? config.read32(VirtioBlock.BLOCK_SIZE)
            : VirtioBlock.SECTOR;
    this.maxTransfer =
        transport.has(VirtioBlock.FEATURE_SIZE_MAX)
            ? Math.min(
                MOST,
                Integer.toUnsignedLong(config.read32(VirtioBlock.SIZE_MAX))
                    / VirtioBlock.SECTOR
                    * VirtioBlock.SECTOR)
            : MOST;
    this.callbacks = new VirtioCallback[queue.slots()];
    this.contexts = new long[queue.slots()];
    this.writable = new int[queue.slots()];
  }

  /**
   * Makes the disk ready.
   *
   * @param device stays the caller's, who closes it after this
   * @throws IllegalArgumentException if the device lacks the interrupts that the options ask for,
   *     or if they ask for a queue of less than 4 entries
   * @throws DeviceProtocolException if it is no such disk, or does not behave like one
   * @throws DeviceTimeoutException if it does not become reset
   * @throws org.gatun.pci.DmaException if there is no DMA memory for it
   * @throws org.gatun.pci.DeviceGoneException if it is closed, or gone
   */
  public static VirtioDisk open(PciDevice device, VirtioOptions options) {
    if (options.queueSize() < DESCRIPTORS) {
      // 2.7.5.3.1: a request has no more descriptors than its queue has entries.
      throw new IllegalArgumentException(
          "%s: a request to a disk takes %d entries of its queue, and the options say %d: 4 at least"
              .formatted(device.name(), DESCRIPTORS, options.queueSize()));
    }
    Transport transport = Transport.open(device, VirtioType.BLOCK, options, WANTED, 1);
    try {
      Virtqueue queue = transport.queue(0, DESCRIPTORS);
      DmaBuffer slots = transport.allocate((long) queue.slots() * SLOT_SIZE, PAGE);
      VirtioDisk disk = new VirtioDisk(transport, queue, slots);
      disk.check();
      transport.start();
      return disk;
    } catch (RuntimeException | Error e) {
      transport.closeAfter(e);
      throw e;
    }
  }

  /** 5.2.4: the capacity is there always, and each other field if its feature is. */
  private static int configSize(Transport transport) {
    if (transport.has(VirtioBlock.FEATURE_WRITE_ZEROES)) {
      return VirtioBlock.ZEROES_SECTORS_MAX + Integer.BYTES;
    }
    if (transport.has(VirtioBlock.FEATURE_DISCARD)) {
      return VirtioBlock.DISCARD_SECTORS_MAX + Integer.BYTES;
    }
    if (transport.has(VirtioBlock.FEATURE_BLOCK_SIZE)) {
      return VirtioBlock.BLOCK_SIZE + Integer.BYTES;
    }
    return transport.has(VirtioBlock.FEATURE_SIZE_MAX)
        ? VirtioBlock.SIZE_MAX + Integer.BYTES
        : VirtioBlock.CAPACITY + Long.BYTES;
  }

  private void check() {
    if (sectors < 0 || sectors > Long.MAX_VALUE / VirtioBlock.SECTOR) {
      throw transport.protocol("it says that it has 0x%x sectors".formatted(sectors));
    }
    if (blockSize < VirtioBlock.SECTOR || Integer.bitCount(blockSize) != 1) {
      throw transport.protocol("it says that a block has %d bytes".formatted(blockSize));
    }
    if (maxTransfer < VirtioBlock.SECTOR) {
      throw transport.protocol("it says that a segment has less than a sector");
    }
  }

  /** Its name. */
  public DeviceName name() {
    return transport.name();
  }

  /** In bytes, a multiple of 512. */
  public long size() {
    return sectors * VirtioBlock.SECTOR;
  }

  /** What requests are best a multiple of, in bytes; they must be a multiple of 512. */
  public int blockSize() {
    return blockSize;
  }

  /** Whether it can't be written. */
  public boolean readOnly() {
    return transport.has(VirtioBlock.FEATURE_READ_ONLY);
  }

  /** How many requests can be in flight. */
  public int depth() {
    return queue.slots();
  }

  /** The most bytes that a request can have: 1 MiB, or less if the disk says so. */
  public long maxTransfer() {
    return maxTransfer;
  }

  /** Its serial number; empty if it has none. */
  public String serialNumber() {
    int slot = acquire();
    long at = (long) slot * SLOT_SIZE + ID;
    carryOut(
        submit(slot, VirtioBlock.GET_ID, 0, slots.busAddress() + at, VirtioBlock.ID_SIZE, true),
        "reading its serial number");
    byte[] text = new byte[VirtioBlock.ID_SIZE];
    slots.copyOut(at, text);
    int length = 0;
    while (length < text.length && text[length] != 0) {
      length++;
    }
    return new String(text, 0, length, StandardCharsets.US_ASCII).strip();
  }

  /**
   * Reads.
   *
   * @param offset on the disk in bytes, a multiple of 512
   * @param length in bytes, a multiple of 512, from 512 to {@link #maxTransfer}
   * @throws IllegalArgumentException if it is not on the disk, or not in the buffer
   */
  public void read(long offset, DmaBuffer buffer, long bufferOffset, int length) {
    checkRange(offset, buffer, bufferOffset, length);
    carryOut(
        submit(
            VirtioBlock.READ,
            offset / VirtioBlock.SECTOR,
            buffer.busAddress() + bufferOffset,
            length,
            true),
        "reading %d bytes at 0x%x".formatted(length, offset));
  }

  /**
   * Writes. It lasts once it was {@linkplain #flush flushed}.
   *
   * @param offset on the disk in bytes, a multiple of 512
   * @param length in bytes, a multiple of 512, from 512 to {@link #maxTransfer}
   * @throws IllegalArgumentException if it is not on the disk, or not in the buffer, or if the disk
   *     can't be written
   */
  public void write(long offset, DmaBuffer buffer, long bufferOffset, int length) {
    checkWritable();
    checkRange(offset, buffer, bufferOffset, length);
    carryOut(
        submit(
            VirtioBlock.WRITE,
            offset / VirtioBlock.SECTOR,
            buffer.busAddress() + bufferOffset,
            length,
            false),
        "writing %d bytes at 0x%x".formatted(length, offset));
  }

  /** Makes all that was written last. Nothing is to be done for a disk without a cache. */
  public void flush() {
    if (transport.has(VirtioBlock.FEATURE_FLUSH)) {
      carryOut(submit(VirtioBlock.FLUSH, 0, 0, 0, false), "flushing");
    }
  }

  /**
   * Lets the disk forget what is in a range: nobody knows what it reads as then.
   *
   * @param offset in bytes, a multiple of 512
   * @param length in bytes, a multiple of 512, from 512 on
   * @return whether it can do that
   * @throws IllegalArgumentException if it is not on the disk, or more than that takes at a time,
   *     or if the disk can't be written
   */
  public boolean discard(long offset, long length) {
    return zero(VirtioBlock.FEATURE_DISCARD, VirtioBlock.DISCARD, offset, length);
  }

  /**
   * Writes zeros, without a buffer of them.
   *
   * @param offset in bytes, a multiple of 512
   * @param length in bytes, a multiple of 512, from 512 on
   * @return whether it can do that
   * @throws IllegalArgumentException if it is not on the disk, or more than it takes at a time, or
   *     if the disk can't be written
   */
  public boolean writeZeroes(long offset, long length) {
    return zero(VirtioBlock.FEATURE_WRITE_ZEROES, VirtioBlock.WRITE_ZEROES, offset, length);
  }

  private boolean zero(long feature, int type, long offset, long length) {
    checkWritable();
    checkOnDisk(offset, length);
    if (!transport.has(feature)) {
      return false;
    }
    boolean discards = type == VirtioBlock.DISCARD;
    long most =
        Integer.toUnsignedLong(
            config.read32(
                discards ? VirtioBlock.DISCARD_SECTORS_MAX : VirtioBlock.ZEROES_SECTORS_MAX));
    long count = length / VirtioBlock.SECTOR;
    if (count > most) {
      throw new IllegalArgumentException(
          "%s: %d sectors at a time, and it takes %d".formatted(name(), count, most));
    }
    int slot = acquire();
    long at = (long) slot * SLOT_SIZE + SEGMENT;
    slots.putLong(at, offset / VirtioBlock.SECTOR);
    slots.putInt(at + 8, (int) count);
    slots.putInt(at + 12, 0);
    carryOut(
        submit(slot, type, 0, slots.busAddress() + at, VirtioBlock.SEGMENT_SIZE, false),
        "%s %d bytes at 0x%x"
            .formatted(discards ? "discarding" : "writing zeros,", length, offset));
    return true;
  }

  /**
   * Submits a read; {@link #ring} tells the device.
   *
   * @param context for the callback
   * @return false if {@link #depth} requests are in flight
   * @throws IllegalArgumentException if it is not on the disk, or not in the buffer
   */
  public boolean submitRead(
      long offset,
      DmaBuffer buffer,
      long bufferOffset,
      int length,
      VirtioCallback callback,
      long context) {
    checkRange(offset, buffer, bufferOffset, length);
    return submit(VirtioBlock.READ, offset, buffer, bufferOffset, length, callback, context);
  }

  /**
   * Submits a write; {@link #ring} tells the device.
   *
   * @param context for the callback
   * @return false if {@link #depth} requests are in flight
   * @throws IllegalArgumentException if it is not on the disk, or not in the buffer, or if the disk
   *     can't be written
   */
  public boolean submitWrite(
      long offset,
      DmaBuffer buffer,
      long bufferOffset,
      int length,
      VirtioCallback callback,
      long context) {
    checkWritable();
    checkRange(offset, buffer, bufferOffset, length);
    return submit(VirtioBlock.WRITE, offset, buffer, bufferOffset, length, callback, context);
  }

  private boolean submit(
      int type,
      long offset,
      DmaBuffer buffer,
      long bufferOffset,
      int length,
      VirtioCallback callback,
      long context) {
    // Before a slot is taken: a closed buffer has none.
    long address = buffer.busAddress() + bufferOffset;
    int slot = queue.acquire();
    if (slot == Virtqueue.NONE) {
      return false;
    }
    callbacks[slot] = callback;
    contexts[slot] = context;
    submit(slot, type, offset / VirtioBlock.SECTOR, address, length, type == VirtioBlock.READ);
    return true;
  }

  /** Tells the device of what was submitted. */
  public void ring() {
    queue.ring();
  }

  /**
   * Completes what the device has done, up to {@link #depth} requests: what callbacks submit has
   * its turn in the next call at the latest. A request that has timed out, and is done after all,
   * is nobody's, and does not count.
   *
   * @return how many requests that were
   * @throws DeviceProtocolException if the device breaks its rules: nobody hears of the request
   *     then, and this is to be closed
   */
  public int poll() {
    int count = 0;
    for (int turn = 0; turn < queue.slots(); turn++) {
      int slot = queue.poll();
      if (slot == Virtqueue.NONE) {
        break;
      }
      int status = status(slot);
      VirtioCallback callback = callbacks[slot];
      callbacks[slot] = null;
      long context = contexts[slot];
      boolean whole = isWhole(slot, status);
      queue.release(slot);
      if (callback == null) {
        continue;
      }
      if (!whole) {
        throw notWhole("the request with context " + context, slot);
      }
      count++;
      callback.completed(context, status);
    }
    return count;
  }

  /**
   * Waits until the device has done something, and completes that.
   *
   * @param limit how long at most
   * @return how many requests that were; 0 after the time, or if the thread was interrupted
   * @throws DeviceProtocolException as {@link #poll}
   */
  public int await(Duration limit) {
    TimeSource time = transport.time();
    long deadline = time.nanoTime() + TimeSource.saturatedNanos(limit);
    Duration left = limit;
    while (transport.await(queue, left)) {
      int count = poll();
      if (count > 0) {
        return count;
      }
      left = Duration.ofNanos(deadline - time.nanoTime());
    }
    return 0;
  }

  private int acquire() {
    if (queue.inFlight() > 0) {
      throw new IllegalStateException(
          name()
              + ": other requests are in flight: poll until they are complete, or, after a"
              + " time-out, close this");
    }
    return queue.acquire();
  }

  private int submit(int type, long sector, long busAddress, int length, boolean deviceWrites) {
    return submit(acquire(), type, sector, busAddress, length, deviceWrites);
  }

  private int submit(
      int slot, int type, long sector, long busAddress, int length, boolean deviceWrites) {
    long at = (long) slot * SLOT_SIZE;
    slots.putInt(at + VirtioBlock.TYPE, type);
    slots.putInt(at + 4, 0);
    slots.putLong(at + VirtioBlock.FIRST_SECTOR, sector);
    slots.putByte(at + STATUS, (byte) NOT_DONE);
    writable[slot] = (deviceWrites ? length : 0) + 1;
    int position = 0;
    queue.buffer(slot, position++, slots.busAddress() + at, VirtioBlock.HEADER_SIZE, false);
    if (length > 0) {
      queue.buffer(slot, position++, busAddress, length, deviceWrites);
    }
    queue.buffer(slot, position++, slots.busAddress() + at + STATUS, 1, true);
    queue.submit(slot, position);
    return slot;
  }

  /** Waits for the only request in flight, and says what became of it. */
  private void carryOut(int slot, String operation) {
    queue.ring();
    if (!transport.await(queue, transport.timeout())) {
      throw transport.timedOut(operation);
    }
    queue.take();
    int status = status(slot);
    boolean whole = isWhole(slot, status);
    queue.release(slot);
    if (!whole) {
      throw notWhole(operation, slot);
    }
    if (status != VirtioBlock.OK) {
      String what =
          switch (status) {
            case VirtioBlock.IO_ERROR -> "an I/O error";
            case VirtioBlock.UNSUPPORTED -> "unsupported";
            case NOT_DONE -> "nothing";
            default -> "status " + status;
          };
      throw new DeviceProtocolException(
          name(), operation + ": the device says: " + what, null, null);
    }
  }

  private int status(int slot) {
    return slots.getByteAcquire((long) slot * SLOT_SIZE + STATUS) & 0xff;
  }

  /**
   * 2.7.8: nothing is known of what is behind the length that the device reports. The status is the
   * last byte, so all before it, and itself, was written if it is to say that all went well; of
   * what went wrong a part may be missing. More than there is room for never was.
   */
  private boolean isWhole(int slot, int status) {
    long written = queue.usedLength();
    return status == VirtioBlock.OK ? written == writable[slot] : written <= writable[slot];
  }

  private DeviceProtocolException notWhole(String operation, int slot) {
    return transport.protocol(
        "%s: the device says that it has written %d bytes, of %d"
            .formatted(operation, queue.usedLength(), writable[slot]));
  }

  private void checkWritable() {
    if (readOnly()) {
      throw new IllegalArgumentException(name() + ": the disk can't be written");
    }
  }

  private void checkOnDisk(long offset, long length) {
    if (offset < 0
        || length <= 0
        || (offset | length) % VirtioBlock.SECTOR != 0
        || offset > size() - length) {
      throw new IllegalArgumentException(
          "%s: %d bytes at 0x%x: not whole sectors of 512 bytes of a disk of %d"
              .formatted(name(), length, offset, size()));
    }
  }

  private void checkRange(long offset, DmaBuffer buffer, long bufferOffset, int length) {
    checkOnDisk(offset, length);
    if (length > maxTransfer) {
      throw new IllegalArgumentException(
          "%s: %d bytes at a time, and it takes %d".formatted(name(), length, maxTransfer));
    }
    if (bufferOffset < 0 || bufferOffset > buffer.size() - length) {
      throw new IllegalArgumentException(
          "%s: %d bytes at offset %d are not in a buffer of %d"
              .formatted(name(), length, bufferOffset, buffer.size()));
    }
  }

  /**
   * Resets the disk, and gives its memory back: requests in flight are done or not, and nobody
   * hears of them. Idempotent, from any thread. The {@link PciDevice} stays open.
   *
   * @throws org.gatun.pci.PciException if the disk could be neither reset nor kept from memory: its
   *     memory stays then until the {@link PciDevice} is closed, and the buffers of requests in
   *     flight must stay, too. Or if something else has failed, after all was given back
   */
  @Override
  public void close() {
    transport.close();
  }

  @Override
  public String toString() {
    return name() + " (virtio disk)";
  }
}
