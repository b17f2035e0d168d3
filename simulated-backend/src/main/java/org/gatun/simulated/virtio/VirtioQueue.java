package org.gatun.simulated.virtio;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.gatun.simulated.Agenda;
import org.gatun.simulated.DmaPort;
import org.gatun.specs.virtio.SplitRing;
import org.gatun.specs.virtio.VirtioPci;

/** A virtqueue, from the device's side (2.7). The device's lock guards it. */
final class VirtioQueue {
  /** The driver has broken a rule of the rings: the device goes no further. */
  static final class BrokenException extends Exception {
    private static final long serialVersionUID = 1;

    BrokenException(String problem) {
      super(problem);
    }
  }

  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final DmaPort port;
  private final int largest;
  private final MemorySegment scratch = Arena.ofAuto().allocate(SplitRing.DESCRIPTOR_SIZE, 8);

  int size;
  int vector;
  boolean enabled;
  long descriptors;
  long available;
  long used;

  /** Chains that were taken from the ring, and are to be used before those that are in it. */
  final ArrayDeque<Chain> ready = new ArrayDeque<>();

  /** Chains that were taken, and are used later, each when its time has come. */
  final Map<Chain, Agenda.Entry> late = new HashMap<>();

  private int nextAvailable;
  private int nextUsed;

  /** What the driver was told of last by an interrupt; with event indices. */
  private int lastTold;

  VirtioQueue(DmaPort port, int largest) {
    this.port = port;
    this.largest = largest;
    reset();
  }

  void reset() {
    size = largest;
    vector = VirtioPci.NO_VECTOR;
    enabled = false;
    descriptors = 0;
    available = 0;
    used = 0;
    ready.clear();
    late.values().forEach(Agenda.Entry::cancel);
    late.clear();
    nextAvailable = 0;
    nextUsed = 0;
    lastTold = 0;
  }

  /** Whether a size is one that it can have (4.1.4.3.2). */
  boolean canHave(int entries) {
    return entries > 0 && entries <= largest && Integer.bitCount(entries) == 1;
  }

  /**
   * The next chain that the driver has made available.
   *
   * @param indirect whether a descriptor may point to a table
   */
  Optional<Chain> next(boolean indirect) throws BrokenException {
    int index = readShort(available + SplitRing.RING_INDEX);
    VarHandle.acquireFence();
    int waiting = (index - nextAvailable) & 0xffff;
    if (waiting == 0) {
      return Optional.empty();
    }
    if (waiting > size) {
      throw new BrokenException(
          "%d entries are available in a ring of %d".formatted(waiting, size));
    }
    long entry =
        available
            + SplitRing.ENTRIES
            + (long) (nextAvailable & (size - 1)) * SplitRing.AVAILABLE_SIZE;
    int head = readShort(entry);
    nextAvailable = (nextAvailable + 1) & 0xffff;
    Chain chain = new Chain(port, head);
    collect(chain, descriptors, size, head, indirect);
    return Optional.of(chain);
  }

  private void collect(Chain chain, long table, int entries, int first, boolean indirect)
      throws BrokenException {
    int index = first;
    for (int count = 0; count < entries; count++) {
      if (index >= entries) {
        throw new BrokenException("descriptor %d of %d".formatted(index, entries));
      }
      long at = table + (long) index * SplitRing.DESCRIPTOR_SIZE;
      if (!port.read(at, scratch, 0, SplitRing.DESCRIPTOR_SIZE)) {
        throw new BrokenException("no descriptor can be read at 0x%x".formatted(at));
      }
      long address = scratch.get(LONG, SplitRing.ADDRESS);
      long length = Integer.toUnsignedLong(scratch.get(INT, SplitRing.LENGTH));
      int flags = scratch.get(SHORT, SplitRing.FLAGS) & 0xffff;
      index = scratch.get(SHORT, SplitRing.FOLLOWING) & 0xffff;
      if ((flags & SplitRing.INDIRECT) != 0) {
        // 2.7.5.3.1: no table in a table, and nothing behind one.
        int inside = (int) Math.min(length / SplitRing.DESCRIPTOR_SIZE, SplitRing.LARGEST);
        if (!indirect
            || (flags & SplitRing.NEXT) != 0
            || inside == 0
            || length % SplitRing.DESCRIPTOR_SIZE != 0) {
          throw new BrokenException("a table of descriptors of %d bytes".formatted(length));
        }
        collect(chain, address, inside, 0, false);
        return;
      }
      if (!chain.add(address, length, (flags & SplitRing.WRITE) != 0)) {
        throw new BrokenException("a buffer to be read is behind one to be written");
      }
      if ((flags & SplitRing.NEXT) == 0) {
        return;
      }
    }
    throw new BrokenException("a chain of more than %d descriptors".formatted(entries));
  }

  /**
   * Gives a chain back.
   *
   * @param flipped bits of the element that are the wrong way round: 0, if all goes well
   */
  void put(Chain chain, long flipped) {
    long entry = used + SplitRing.ENTRIES + (long) (nextUsed & (size - 1)) * SplitRing.USED_SIZE;
    long element = Integer.toUnsignedLong(chain.head()) | chain.written() << Integer.SIZE;
    scratch.set(LONG, 0, element ^ flipped);
    port.write(entry, scratch, 0, SplitRing.USED_SIZE);
    // 2.7.8.2: all that the device has written is there before the index says so.
    VarHandle.releaseFence();
    nextUsed = (nextUsed + 1) & 0xffff;
    scratch.set(SHORT, 0, (short) nextUsed);
    port.write(used + SplitRing.RING_INDEX, scratch, 0, Short.BYTES);
  }

  /** Whether the driver wants an interrupt for what it was given since the last one (2.7.7). */
  boolean isToInterrupt(boolean eventIndex) throws BrokenException {
    if (nextUsed == lastTold) {
      return false;
    }
    // 2.7.7: the index is there before the driver's wish is read, or both could miss the other.
    VarHandle.fullFence();
    boolean wanted;
    if (eventIndex) {
      int event = readShort(available + SplitRing.usedEvent(size));
      wanted = ((nextUsed - event - 1) & 0xffff) < ((nextUsed - lastTold) & 0xffff);
    } else {
      wanted = (readShort(available + SplitRing.RING_FLAGS) & SplitRing.NO_INTERRUPT) == 0;
    }
    lastTold = nextUsed;
    return wanted;
  }

  /** Asks for a notification of what is made available next. */
  void askForNotification(boolean eventIndex) {
    if (eventIndex) {
      scratch.set(SHORT, 0, (short) nextAvailable);
      port.write(used + SplitRing.availableEvent(size), scratch, 0, Short.BYTES);
      // 2.7.10: the wish is there before the caller looks again.
      VarHandle.fullFence();
    }
  }

  private int readShort(long busAddress) throws BrokenException {
    if (!port.read(busAddress, scratch, 0, Short.BYTES)) {
      throw new BrokenException("no index can be read at 0x%x".formatted(busAddress));
    }
    return scratch.get(SHORT, 0) & 0xffff;
  }
}
