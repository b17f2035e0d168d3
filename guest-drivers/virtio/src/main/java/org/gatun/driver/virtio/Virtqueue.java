package org.gatun.driver.virtio;

import java.lang.invoke.VarHandle;
import java.util.function.LongFunction;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.Mmio;
import org.gatun.specs.virtio.SplitRing;

/**
 * A virtqueue, from the driver's side (2.7). A request has a slot, which has its descriptors: a
 * table of its own, where the device allows that, or a part of the queue's. One thread; nothing is
 * allocated after it was made.
 */
final class Virtqueue {
  /** Where the device is notified. */
  record Doorbell(Mmio registers, long offset, int queue) {}

  /** No slot. */
  static final int NONE = -1;

  private static final int PAGE = 4096;

  private final DeviceName name;
  private final int size;
  private final int perSlot;
  private final int slots;
  private final boolean indirect;
  private final boolean eventIndex;
  private final Doorbell doorbell;
  private final DmaBuffer memory;
  private final long availableAt;
  private final long usedAt;
  private final long tablesAt;

  /** Slots that nobody has: a stack. */
  private final int[] free;

  private int freeCount;

  /** Whether the device has it. */
  private final boolean[] inFlight;

  private int inFlightCount;

  private int nextAvailable;
  private int nextUsed;

  /** What was available when the device was notified last. */
  private int lastNotified;

  private int usedLength;

  /**
   * Whether it was closed though its memory had to stay: other memory says so itself. Of any
   * thread.
   */
  private volatile boolean abandoned;

  /**
   * @param allocator for its memory, in whole pages
   */
  Virtqueue(
      DeviceName name,
      LongFunction<DmaBuffer> allocator,
      int size,
      int perSlot,
      boolean indirect,
      boolean eventIndex,
      Doorbell doorbell) {
    this.name = name;
    this.size = size;
    this.perSlot = perSlot;
    this.slots = indirect ? size : size / perSlot;
    this.indirect = indirect;
    this.eventIndex = eventIndex;
    this.doorbell = doorbell;
    this.availableAt = SplitRing.descriptorsSize(size);
    this.usedAt = align(availableAt + SplitRing.availableSize(size), SplitRing.USED_ALIGNMENT);
    long end = usedAt + SplitRing.usedSize(size);
    this.tablesAt = indirect ? align(end, SplitRing.DESCRIPTOR_SIZE) : 0;
    long bytes = indirect ? tablesAt + (long) slots * SplitRing.descriptorsSize(perSlot) : end;
    this.memory = allocator.apply(align(bytes, PAGE));
    this.free = new int[slots];
    this.inFlight = new boolean[slots];
    for (int slot = slots - 1; slot >= 0; slot--) {
      free[freeCount++] = slot;
    }
  }

  private static long align(long value, long alignment) {
    return (value + alignment - 1) & -alignment;
  }

  long descriptors() {
    return memory.busAddress();
  }

  long available() {
    return memory.busAddress() + availableAt;
  }

  long used() {
    return memory.busAddress() + usedAt;
  }

  /** How many requests it has room for. */
  int slots() {
    return slots;
  }

  /** How many requests the device has. */
  int inFlight() {
    return inFlightCount;
  }

  /** A slot for a request; {@link #NONE} if all are taken. */
  int acquire() {
    checkOpen();
    return freeCount == 0 ? NONE : free[--freeCount];
  }

  /** The slot is free again: not while the device has it. */
  void release(int slot) {
    free[freeCount++] = slot;
  }

  /**
   * Says where a part of a request is.
   *
   * @param position 0 and on; what the device writes is behind what it reads
   */
  void buffer(int slot, int position, long busAddress, int length, boolean deviceWrites) {
    long at = tablesAt + ((long) slot * perSlot + position) * SplitRing.DESCRIPTOR_SIZE;
    describe(at, busAddress, length, deviceWrites ? SplitRing.WRITE : 0, 0);
  }

  private void describe(long at, long busAddress, int length, int flags, int next) {
    memory.putLong(at + SplitRing.ADDRESS, busAddress);
    memory.putInt(at + SplitRing.LENGTH, length);
    memory.putShort(at + SplitRing.FLAGS, (short) flags);
    memory.putShort(at + SplitRing.FOLLOWING, (short) next);
  }

  /**
   * Makes a request available to the device, which {@link #ring} tells.
   *
   * @param buffers how many parts it has, from 1 on
   */
  void submit(int slot, int buffers) {
    int first = slot * perSlot;
    for (int i = 0; i < buffers - 1; i++) {
      long at = tablesAt + (long) (first + i) * SplitRing.DESCRIPTOR_SIZE;
      int flags = memory.getShortAcquire(at + SplitRing.FLAGS) | SplitRing.NEXT;
      memory.putShort(at + SplitRing.FLAGS, (short) flags);
      memory.putShort(at + SplitRing.FOLLOWING, (short) (indirect ? i + 1 : first + i + 1));
    }
    int head = first;
    if (indirect) {
      head = slot;
      describe(
          (long) slot * SplitRing.DESCRIPTOR_SIZE,
          memory.busAddress() + tablesAt + (long) first * SplitRing.DESCRIPTOR_SIZE,
          buffers * SplitRing.DESCRIPTOR_SIZE,
          SplitRing.INDIRECT,
          0);
    }
    inFlight[slot] = true;
    inFlightCount++;
    memory.putShort(
        availableAt
            + SplitRing.ENTRIES
            + (long) (nextAvailable & (size - 1)) * SplitRing.AVAILABLE_SIZE,
        (short) head);
    nextAvailable = (nextAvailable + 1) & 0xffff;
    // 2.7.13.3: the entry is there before the index says so.
    memory.putShortRelease(availableAt + SplitRing.RING_INDEX, (short) nextAvailable);
  }

  /** Notifies the device of what was submitted since the last time, if it wants to know. */
  void ring() {
    checkOpen();
    if (nextAvailable == lastNotified) {
      return;
    }
    // 2.7.13.4: the index is there before the device's wish is read, or both could miss the other.
    VarHandle.fullFence();
    boolean wanted;
    if (eventIndex) {
      int event = memory.getShortAcquire(usedAt + SplitRing.availableEvent(size)) & 0xffff;
      wanted = ((nextAvailable - event - 1) & 0xffff) < ((nextAvailable - lastNotified) & 0xffff);
    } else {
      wanted = (memory.getShortAcquire(usedAt + SplitRing.RING_FLAGS) & SplitRing.NO_NOTIFY) == 0;
    }
    lastNotified = nextAvailable;
    if (wanted) {
      doorbell.registers.write16(doorbell.offset, doorbell.queue);
    }
  }

  /** Whether the device has given something back that was not taken yet. */
  boolean hasUsed() {
    checkOpen();
    return (memory.getShortAcquire(usedAt + SplitRing.RING_INDEX) & 0xffff) != nextUsed;
  }

  /** Asks for no interrupts at all (2.7.7), of a device without event indices. */
  void refuseInterrupts() {
    memory.putShort(availableAt + SplitRing.RING_FLAGS, (short) SplitRing.NO_INTERRUPT);
  }

  /** Asks for an interrupt when the device gives back the next request. */
  void wantInterrupt() {
    if (eventIndex) {
      memory.putShort(availableAt + SplitRing.usedEvent(size), (short) nextUsed);
    } else {
      memory.putShort(availableAt + SplitRing.RING_FLAGS, (short) 0);
    }
    // 2.7.7.1: the wish is there before the caller looks again.
    VarHandle.fullFence();
  }

  /**
   * Takes what the device has given back; how much it has written {@link #usedLength} says.
   *
   * @return the slot, still taken; {@link #NONE} if there is nothing
   * @throws DeviceProtocolException if the device gives back what it has not
   */
  int poll() {
    checkOpen();
    int index = memory.getShortAcquire(usedAt + SplitRing.RING_INDEX) & 0xffff;
    int waiting = (index - nextUsed) & 0xffff;
    if (waiting == 0) {
      return NONE;
    }
    if (waiting > inFlightCount) {
      throw new DeviceProtocolException(
          name,
          "queue %d: the device has used %d requests, of %d that it had"
              .formatted(doorbell.queue, waiting, inFlightCount),
          "reset the device",
          null);
    }
    long entry = usedAt + SplitRing.ENTRIES + (long) (nextUsed & (size - 1)) * SplitRing.USED_SIZE;
    int head = memory.getIntAcquire(entry);
    int slot = indirect ? head : head / perSlot;
    if (head < 0 || slot >= slots || (!indirect && head % perSlot != 0) || !inFlight[slot]) {
      throw new DeviceProtocolException(
          name,
          "queue %d: the device has used descriptor %d, which it had not"
              .formatted(doorbell.queue, Integer.toUnsignedLong(head)),
          "reset the device",
          null);
    }
    usedLength = memory.getIntAcquire(entry + Integer.BYTES);
    inFlight[slot] = false;
    inFlightCount--;
    nextUsed = (nextUsed + 1) & 0xffff;
    return slot;
  }

  /**
   * As {@link #poll}, of something that is there.
   *
   * @throws DeviceProtocolException also if it is not there any more
   */
  int take() {
    int slot = poll();
    if (slot == NONE) {
      throw new DeviceProtocolException(
          name,
          "queue %d: the device has taken back what it had used".formatted(doorbell.queue),
          "reset the device",
          null);
    }
    return slot;
  }

  /** How many bytes the device says that it has written, of what {@link #poll} returned. */
  long usedLength() {
    return Integer.toUnsignedLong(usedLength);
  }

  /** From now on it can't be used, though its memory stays the device's. */
  void abandon() {
    abandoned = true;
  }

  private void checkOpen() {
    if (abandoned) {
      throw new DeviceGoneException(name, "queue " + doorbell.queue, null);
    }
  }
}
