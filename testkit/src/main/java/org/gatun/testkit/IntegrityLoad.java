package org.gatun.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Deque;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import org.gatun.pci.DmaBuffer;
import org.gatun.pci.PciException;
import org.jspecify.annotations.Nullable;

/**
 * Random I/O on a disk, of which each byte is accounted for: what is done to which blocks, from and
 * to which memory, on which way to the disk, and how much is under way, is chosen by a seed; what
 * is read is held against a {@link BlockShadow}, and memory around it must stay as it was. One
 * thread.
 *
 * <p>Of two I/Os of the same block that are under way together, none changes it: a disk may do them
 * in any order (NVM 2.1.2).
 */
public final class IntegrityLoad {
  /** The most that is under way together. */
  private static final int SLOTS = 64;

  /** Before and behind memory that is read into, in bytes. */
  private static final int GUARD = 64;

  private static final byte UNTOUCHED = (byte) 0xa5;

  /** Memory begins anywhere in so many bytes. */
  private static final int PAGE = 4096;

  /** How often blocks are looked for that nothing under way is in the way of. */
  private static final int TRIES = 8;

  private final BlockShadow shadow;
  private final int maxBlocks;
  private final Random random;
  private final MemorySegment heap;
  private final Queue<Io> over = new ArrayDeque<>();
  private final List<Io> underWay = new ArrayList<>();
  private final Deque<Integer> freeSlots = new ArrayDeque<>();

  /** Blocks that something under way changes. */
  private final BitSet changing = new BitSet();

  /** How many that are under way read each block. */
  private final int[] readers;

  private long ended;
  private long failed;
  private long bytes;
  private long resolved;
  private long digest;

  /**
   * For one disk.
   *
   * @param maxBlocks the most of an I/O on any way
   */
  public IntegrityLoad(BlockShadow shadow, int maxBlocks, long seed) {
    this.shadow = shadow;
    this.maxBlocks = maxBlocks;
    this.random = new Random(seed);
    this.heap = MemorySegment.ofArray(new byte[(int) bufferSize()]);
    this.readers = new int[shadow.blocks()];
    for (int slot = 0; slot < SLOTS; slot++) {
      freeSlots.add(slot);
    }
  }

  /** What is done. */
  public enum Kind {
    READ,
    WRITE,
    WRITE_ZEROES,
    /** A hint: the blocks read as before, or as zeros (NVM 3.2.3). */
    DEALLOCATE,
    FLUSH;

    boolean changes() {
      return this != READ && this != FLUSH;
    }
  }

  /** A way to the disk: a queue, an interface of the driver. */
  public interface Way {
    /** The most blocks of an I/O. */
    int maxBlocks();

    /** Whether {@link Io#buffer} is needed. */
    boolean needsDma();

    /**
     * Begins an I/O, or does it: {@link Io#ended} is called once, now or later.
     *
     * @return false if there is no room for it now
     * @throws PciException if the driver has given up: it may have been done in part
     */
    boolean begin(Io io);

    /** Tells the disk of what was begun. */
    void ring();

    /**
     * Waits for some to end, for a while.
     *
     * @throws PciException if the driver has given up
     */
    void await();
  }

  /** An I/O: it is done to some blocks, from or to memory of their length. */
  public final class Io {
    private final Way way;
    private final Kind kind;
    private final int lba;
    private final int blocks;
    private final int slot;

    /** Of a write: its number. */
    private final long number;

    private final @Nullable DmaBuffer buffer;
    private final MemorySegment around;
    private final long offset;
    private int ends;
    private boolean done;

    private Io(Way way, Kind kind, int lba, int blocks, int slot, @Nullable DmaBuffer buffer) {
      this.way = way;
      this.kind = kind;
      this.lba = lba;
      this.blocks = blocks;
      this.slot = slot;
      this.number = kind == Kind.WRITE ? shadow.newWrite() : BlockShadow.ZEROS;
      this.buffer = buffer;
      this.around = buffer == null ? heap : buffer.segment();
      int shift = random.nextInt(PAGE);
      this.offset = slot * slotSize() + GUARD + (buffer == null ? shift : shift & -Integer.BYTES);
    }

    /** What is done. */
    public Kind kind() {
      return kind;
    }

    /** The first block. */
    public int lba() {
      return lba;
    }

    /** How many blocks: 1 to those of the way; of a flush it says nothing. */
    public int blocks() {
      return blocks;
    }

    /** The memory, of a way that needs DMA. */
    public DmaBuffer buffer() {
      if (buffer == null) {
        throw new IllegalStateException("the way said that it needs no DMA");
      }
      return buffer;
    }

    /** Where it begins in the buffer, in bytes: a multiple of 4. */
    public long bufferOffset() {
      return offset;
    }

    /** The memory, of any way: on the heap, at any address, if that needs no DMA. */
    public MemorySegment memory() {
      return around.asSlice(offset, (long) blocks * shadow.blockSize());
    }

    /**
     * It is over.
     *
     * @param success if false, it may have been done in part
     */
    public void ended(boolean success) {
      ends++;
      done = success;
      over.add(this);
    }

    private MemorySegment before() {
      return around.asSlice(offset - GUARD, GUARD);
    }

    private MemorySegment behind() {
      return around.asSlice(offset + (long) blocks * shadow.blockSize(), GUARD);
    }

    private void prepare() {
      switch (kind) {
        case READ ->
            around
                .asSlice(offset - GUARD, (long) blocks * shadow.blockSize() + 2 * GUARD)
                .fill(UNTOUCHED);
        case WRITE -> shadow.fill(memory(), lba, blocks, number);
        case WRITE_ZEROES, DEALLOCATE, FLUSH -> {}
      }
    }

    @Override
    public String toString() {
      return "%s of %d blocks at %d".formatted(kind, blocks, lba);
    }
  }

  /** How much memory there has to be in each buffer for {@link #run}, in bytes: whole pages. */
  public long bufferSize() {
    return (SLOTS * slotSize() + PAGE - 1) / PAGE * PAGE;
  }

  private long slotSize() {
    return (long) maxBlocks * shadow.blockSize() + 2 * GUARD + PAGE;
  }

  /**
   * Begins so much I/O. What is under way at the end is so when the driver is closed.
   *
   * @param ways all to the same disk
   * @param buffers for what needs DMA: any of them
   * @throws PciException if the driver gives up
   */
  public void run(List<Way> ways, List<DmaBuffer> buffers, int count) {
    int most = 1;
    for (int begun = 0; begun < count; ) {
      if (random.nextInt(SLOTS) == 0) {
        most = 1 + random.nextInt(SLOTS);
      }
      Way way = ways.get(random.nextInt(ways.size()));
      if (underWay.size() < most && begin(way, buffers)) {
        begun++;
        if (random.nextInt(4) == 0) {
          way.ring();
        }
      } else {
        ways.forEach(Way::ring);
        if (!underWay.isEmpty()) {
          underWay.get(random.nextInt(underWay.size())).way.await();
        }
      }
      account();
    }
  }

  /** To be called when the driver was closed: nothing may be under way any more. */
  public void settle() {
    account();
    assertThat(underWay).as("what the driver never completed").isEmpty();
  }

  /** Checks a part of the disk that was read by other means. */
  public void verify(MemorySegment memory, int lba, int count) {
    resolved += shadow.uncertain(lba, count);
    note(shadow.check(memory, lba, count));
  }

  private boolean begin(Way way, List<DmaBuffer> buffers) {
    for (int i = 0; i < TRIES; i++) {
      Kind kind = kind();
      int blocks = length(Math.min(way.maxBlocks(), maxBlocks));
      int lba = random.nextInt(shadow.blocks() - blocks + 1);
      if (kind == Kind.FLUSH || isFree(kind, lba, blocks)) {
        DmaBuffer buffer = way.needsDma() ? buffers.get(random.nextInt(buffers.size())) : null;
        return begin(new Io(way, kind, lba, blocks, freeSlots.remove(), buffer));
      }
    }
    return false;
  }

  private boolean begin(Io io) {
    io.prepare();
    add(io);
    boolean begun = false;
    try {
      begun = io.way.begin(io);
    } catch (PciException e) {
      begun = true;
      io.ended(false);
      throw e;
    } finally {
      if (!begun) {
        remove(io);
      }
    }
    return begun;
  }

  private Kind kind() {
    int chance = random.nextInt(4096);
    if (chance == 0) {
      return Kind.FLUSH;
    }
    return switch (chance & 31) {
      case 1 -> Kind.WRITE_ZEROES;
      case 2 -> Kind.DEALLOCATE;
      default -> (chance & 32) == 0 ? Kind.READ : Kind.WRITE;
    };
  }

  /** 1 to the most, each order of magnitude as often. */
  private int length(int most) {
    int bits = random.nextInt(Integer.SIZE - Integer.numberOfLeadingZeros(most) + 1);
    return Math.min(most, 1 + random.nextInt(1 << bits));
  }

  private boolean isFree(Kind kind, int lba, int blocks) {
    int next = changing.nextSetBit(lba);
    boolean changed = next >= 0 && next < lba + blocks;
    if (changed || !kind.changes()) {
      return !changed;
    }
    for (int i = lba; i < lba + blocks; i++) {
      if (readers[i] > 0) {
        return false;
      }
    }
    return true;
  }

  private void add(Io io) {
    underWay.add(io);
    mark(io, 1);
  }

  private void remove(Io io) {
    underWay.remove(io);
    mark(io, -1);
    freeSlots.add(io.slot);
  }

  private void mark(Io io, int more) {
    if (io.kind.changes()) {
      changing.set(io.lba, io.lba + io.blocks, more > 0);
    } else if (io.kind == Kind.READ) {
      for (int i = io.lba; i < io.lba + io.blocks; i++) {
        readers[i] += more;
      }
    }
  }

  /** Not when they end, which may be in a callback: there, what is wrong would get lost. */
  private void account() {
    for (Io io = over.poll(); io != null; io = over.poll()) {
      if (io.ends != 1) {
        throw new AssertionError("%s has ended %d times".formatted(io, io.ends));
      }
      remove(io);
      account(io);
    }
  }

  private void account(Io io) {
    ended++;
    failed += io.done ? 0 : 1;
    bytes += io.done ? (long) io.blocks * shadow.blockSize() : 0;
    note(io.kind.name().hashCode());
    note(io.done ? 1 : 0);
    note((long) io.lba << Integer.SIZE | io.blocks);
    switch (io.kind) {
      case READ -> {
        if (!isUntouched(io.before()) || !isUntouched(io.behind())) {
          throw new AssertionError(io + " has changed memory around that of its blocks");
        }
        if (io.done) {
          verify(io.memory(), io.lba, io.blocks);
        }
      }
      case WRITE, WRITE_ZEROES -> shadow.wrote(io.lba, io.blocks, io.number, io.done);
      case DEALLOCATE -> shadow.wrote(io.lba, io.blocks, io.number, false);
      case FLUSH -> {}
    }
  }

  private static boolean isUntouched(MemorySegment memory) {
    for (long i = 0; i < memory.byteSize(); i++) {
      if (memory.get(ValueLayout.JAVA_BYTE, i) != UNTOUCHED) {
        return false;
      }
    }
    return true;
  }

  /** How many I/Os have ended, well or not. */
  public long ended() {
    return ended;
  }

  /** How many have failed. */
  public long failed() {
    return failed;
  }

  /** Makes something a part of the digest. */
  public void note(long value) {
    digest = (digest ^ value) * 0x0000_0100_0000_01b3L;
    digest ^= digest >>> 29;
  }

  /** Of all that was done and came of it, in its order. */
  public long digest() {
    return digest;
  }

  @Override
  public String toString() {
    return "%,d I/Os of %,d MiB, %,d of them failed, %,d blocks were either old or new; digest %016x"
        .formatted(ended, bytes >> 20, failed, resolved, digest);
  }
}
