package org.gatun.cli;

import java.lang.foreign.MemorySegment;

/**
 * Copies a range from one end to another, and compares them, with several transfers in flight. One
 * thread.
 *
 * @param length in bytes
 * @param chunk bytes of each transfer but the last
 * @param check is called between the steps, and throws if the copy has to end
 */
record NvmeCopy(CopyEnd source, CopyEnd target, long length, int chunk, Runnable check) {
  /** The most transfers in flight. */
  static final int SLOTS = 16;

  /** The longest transfer: without an IOMMU, the memory of all slots is inside a huge page. */
  static final int MAX_CHUNK = DiskRange.CHUNK / SLOTS;

  /** Copies, and returns when the target will keep it. */
  void copy(Progress progress) {
    boolean sameMemory = source.memory().equals(target.memory());
    new Pass(progress) {
      @Override
      void arrived(int slot) {
        if (!sameMemory) {
          MemorySegment.copy(
              source.memory(), offset(slot), target.memory(), offset(slot), size(slot));
        }
        target.write(slot, position(slot), size(slot), this::finished);
      }
    }.run();
    target.flush();
  }

  /**
   * Reads both ends, which have memory of their own, and compares.
   *
   * @return the first position where they differ; -1 if there is none
   */
  long mismatch(Progress progress) {
    Comparison comparison = new Comparison(progress);
    comparison.run();
    return comparison.mismatch;
  }

  /** Takes all chunks through their steps, the first of which is that the source is read. */
  private abstract class Pass {
    private final Progress progress;
    private final long[] positions = new long[SLOTS];
    private long next;
    private int inFlight;

    Pass(Progress progress) {
      this.progress = progress;
    }

    /** The slot's chunk is in the source's memory. Ends in {@link #finished}. */
    abstract void arrived(int slot);

    final void run() {
      int depth = Math.min(source.depth(), target.depth());
      for (int slot = 0; slot < depth; slot++) {
        begin(slot);
      }
      while (inFlight > 0) {
        check.run();
        source.poll();
        target.poll();
      }
    }

    private void begin(int slot) {
      if (next < length) {
        positions[slot] = next;
        next += size(slot);
        inFlight++;
        source.read(slot, position(slot), size(slot), this::arrived);
      }
    }

    final void finished(int slot) {
      inFlight--;
      progress.step(size(slot));
      begin(slot);
    }

    /** Lets what is in flight come to its end, and no more. */
    final void stop() {
      next = length;
    }

    final long position(int slot) {
      return positions[slot];
    }

    final int size(int slot) {
      return (int) Math.min(chunk, length - positions[slot]);
    }

    /** Where the slot is in the memory of an end. */
    final long offset(int slot) {
      return (long) slot * chunk;
    }
  }

  private final class Comparison extends Pass {
    private long mismatch = -1;

    Comparison(Progress progress) {
      super(progress);
    }

    @Override
    void arrived(int slot) {
      target.read(slot, position(slot), size(slot), this::compare);
    }

    private void compare(int slot) {
      long from = offset(slot);
      long to = from + size(slot);
      long differs = MemorySegment.mismatch(source.memory(), from, to, target.memory(), from, to);
      if (differs >= 0) {
        // Chunks begin in order, so whatever differs before this one is in flight, or was seen.
        long at = position(slot) + differs;
        mismatch = mismatch < 0 ? at : Math.min(mismatch, at);
        stop();
      }
      finished(slot);
    }
  }
}
