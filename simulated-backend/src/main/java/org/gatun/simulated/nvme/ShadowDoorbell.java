package org.gatun.simulated.nvme;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.gatun.simulated.DmaPort;

/**
 * The doorbell of a queue in the host's memory, and its EventIdx: a host writes the register only
 * if the doorbell passes that (Base 5.8). Guarded by the monitor of the completion queue.
 *
 * <p>A host writes the doorbell and then reads EventIdx; here it is the other way round, so that
 * one of the two sees what the other did: who arms has to look again.
 */
final class ShadowDoorbell {
  private static final ValueLayout.OfInt U32 =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Of two doorbells side by side: none has it, since no queue is as long. */
  private static final long REFUSED = -1;

  private final DmaPort port;
  private final long pair;
  private final boolean completion;
  private final long eventIndex;
  private final MemorySegment word = MemorySegment.ofArray(new int[1]);

  private boolean used;
  private int initial;

  /**
   * @param used whether the host is known to write it: Linux does not, for the admin queue, and
   *     then the register counts
   */
  ShadowDoorbell(
      DmaPort port, DoorbellBuffers buffers, int queueId, boolean completion, boolean used) {
    long offset = DoorbellBuffers.PAIR * (long) queueId;
    this.port = port;
    this.pair = buffers.doorbells() + offset;
    this.completion = completion;
    this.eventIndex = buffers.eventIndices() + offset + (completion ? Integer.BYTES : 0);
    this.used = used;
  }

  /** Both begin with where the queue is; false if DMA was refused. */
  boolean begin(int index) {
    initial = index;
    return write(pair + (completion ? Integer.BYTES : 0), index) && arm(index);
  }

  /** The host is to write the register as soon as it goes on from there; false as above. */
  boolean arm(int index) {
    boolean written = write(eventIndex, index);
    VarHandle.fullFence();
    return written;
  }

  /** Whether it counts, and the register does not. */
  boolean isUsed() {
    return used || value(initial) != initial;
  }

  /**
   * What the host has written, which may be any value; -1 if DMA was refused.
   *
   * @param known what to return if the host does not use it
   */
  int value(int known) {
    long both = port.readLong(pair, REFUSED);
    int value = (int) (completion ? both >>> Integer.SIZE : both);
    used |= value != initial;
    return used ? value : known;
  }

  private boolean write(long busAddress, int value) {
    word.set(U32, 0, value);
    return port.write(busAddress, word, 0, Integer.BYTES);
  }
}
