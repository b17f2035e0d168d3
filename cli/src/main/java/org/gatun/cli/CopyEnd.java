package org.gatun.cli;

import java.lang.foreign.MemorySegment;
import java.util.function.IntConsumer;

/**
 * One end of a copy. Each transfer in flight has a part of its memory, a slot. Positions are of the
 * copy, from 0. One thread.
 */
interface CopyEnd {
  /** How many transfers can be in flight: 1 to {@link NvmeCopy#SLOTS}. */
  int depth();

  /** The memory of all slots, one after the other. */
  MemorySegment memory();

  /**
   * Begins to read into a slot.
   *
   * @param length a chunk, or what is left of the copy
   * @param done is given the slot when it is read: at once, or from {@link #poll}
   */
  void read(int slot, long position, int length, IntConsumer done);

  /** Begins to write what is in a slot, as {@link #read} reads. */
  void write(int slot, long position, int length, IntConsumer done);

  /** Sends what was begun, and tells of what is done meanwhile. May wait for that, shortly. */
  void poll();

  /** Makes all that was written stay, and returns when it will. */
  void flush();
}
