package org.gatun.simulated.virtio;

import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.gatun.simulated.DmaPort;
import org.gatun.simulated.media.Media;
import org.gatun.specs.virtio.VirtioBlock;
import org.gatun.specs.virtio.VirtioType;

/** A disk (5.2), with one queue. */
public final class BlockKind implements VirtioKind {
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** As many as a chain can have besides header and status. */
  private static final int SEGMENTS_MAX = 254;

  /** For discards and writes of zeros, in sectors: 16 MiB, since others wait meanwhile. */
  private static final int SECTORS_MAX = 1 << 15;

  /** Flag of a write of zeros: the sectors may be forgotten, too. */
  private static final int UNMAP = 1;

  private final Media media;
  private final boolean readOnly;
  private final byte[] serial;
  private final MemorySegment config = Arena.ofAuto().allocate(VirtioBlock.CONFIG_SIZE, 8);
  private final MemorySegment scratch = Arena.ofAuto().allocate(VirtioBlock.HEADER_SIZE, 8);

  /**
   * @param blockSize what the disk says is best
   * @param serial up to 20 characters of ASCII
   */
  public BlockKind(Media media, int blockSize, boolean readOnly, String serial) {
    this.media = media;
    this.readOnly = readOnly;
    this.serial = Arrays.copyOf(serial.getBytes(StandardCharsets.US_ASCII), VirtioBlock.ID_SIZE);
    config.set(LONG, VirtioBlock.CAPACITY, sectors());
    config.set(INT, VirtioBlock.SEGMENTS_MAX, SEGMENTS_MAX);
    config.set(INT, VirtioBlock.BLOCK_SIZE, blockSize);
    config.set(INT, VirtioBlock.DISCARD_SECTORS_MAX, SECTORS_MAX);
    config.set(INT, VirtioBlock.DISCARD_SEGMENTS_MAX, 1);
    config.set(INT, VirtioBlock.DISCARD_ALIGNMENT, blockSize / VirtioBlock.SECTOR);
    config.set(INT, VirtioBlock.ZEROES_SECTORS_MAX, SECTORS_MAX);
    config.set(INT, VirtioBlock.ZEROES_SEGMENTS_MAX, 1);
  }

  @Override
  public VirtioType type() {
    return VirtioType.BLOCK;
  }

  @Override
  public long features() {
    long always =
        VirtioBlock.FEATURE_SEGMENTS_MAX
            | VirtioBlock.FEATURE_BLOCK_SIZE
            | VirtioBlock.FEATURE_FLUSH;
    return always
        | (readOnly
            ? VirtioBlock.FEATURE_READ_ONLY
            : VirtioBlock.FEATURE_DISCARD | VirtioBlock.FEATURE_WRITE_ZEROES);
  }

  @Override
  public MemorySegment config() {
    return config;
  }

  @Override
  public int queues() {
    return 1;
  }

  @Override
  public void started(VirtioDevice device) {}

  @Override
  public void notified(VirtioDevice device, int queue) {
    device.useEach(queue, chain -> serve(device.dma(), chain));
  }

  /** A request without room for its status can't be answered: it is given back as it came. */
  private void serve(DmaPort port, Chain chain) {
    if (chain.writable() == 0) {
      return;
    }
    int status = VirtioBlock.IO_ERROR;
    long room = chain.writable() - 1;
    if (chain.read(scratch, 0, VirtioBlock.HEADER_SIZE)) {
      int type = scratch.get(INT, VirtioBlock.TYPE);
      long sector = scratch.get(LONG, VirtioBlock.FIRST_SECTOR);
      try {
        status = carryOut(port, chain, type, sector, room);
      } catch (InternalError | UncheckedIOException | OutOfMemoryError e) {
        // The file behind the media was cut short, or can't be written; or there is no memory.
        System.getLogger(BlockKind.class.getName())
            .log(System.Logger.Level.WARNING, "a virtio disk: " + e.getMessage(), e);
      }
    }
    // 5.2.6: the status is the last byte, wherever the data ended.
    long left = chain.writable() - 1;
    chain.skip(left);
    scratch.set(ValueLayout.JAVA_BYTE, 0, (byte) status);
    chain.write(scratch, 0, 1);
  }

  private int carryOut(DmaPort port, Chain chain, int type, long sector, long room) {
    return switch (type) {
      case VirtioBlock.READ -> status(read(port, chain, sector, room));
      case VirtioBlock.WRITE -> status(write(port, chain, sector, chain.readable()));
      case VirtioBlock.FLUSH -> {
        media.flush();
        yield VirtioBlock.OK;
      }
      case VirtioBlock.GET_ID ->
          status(chain.write(MemorySegment.ofArray(serial), 0, Math.min(room, serial.length)));
      case VirtioBlock.DISCARD -> zero(chain, 0);
      case VirtioBlock.WRITE_ZEROES -> zero(chain, UNMAP);
      default -> VirtioBlock.UNSUPPORTED;
    };
  }

  private static int status(boolean done) {
    return done ? VirtioBlock.OK : VirtioBlock.IO_ERROR;
  }

  private boolean read(DmaPort port, Chain chain, long sector, long length) {
    return isInside(sector, length)
        && chain.write(
            length,
            (address, offset, part) ->
                media.toHost(port, address, sector * VirtioBlock.SECTOR + offset, part));
  }

  private boolean write(DmaPort port, Chain chain, long sector, long length) {
    return !readOnly
        && isInside(sector, length)
        && chain.read(
            length,
            (address, offset, part) ->
                media.fromHost(port, address, sector * VirtioBlock.SECTOR + offset, part));
  }

  /**
   * What is forgotten reads as zeros, too.
   *
   * @param known flags; others are to be refused (5.2.6.2)
   */
  private int zero(Chain chain, int known) {
    if (readOnly
        || chain.readable() != VirtioBlock.SEGMENT_SIZE
        || !chain.read(scratch, 0, VirtioBlock.SEGMENT_SIZE)) {
      return VirtioBlock.IO_ERROR;
    }
    long first = scratch.get(LONG, 0);
    long count = Integer.toUnsignedLong(scratch.get(INT, 8));
    if ((scratch.get(INT, 12) & ~known) != 0) {
      return VirtioBlock.UNSUPPORTED;
    }
    if (count > SECTORS_MAX || !isInside(first, count * VirtioBlock.SECTOR)) {
      return VirtioBlock.IO_ERROR;
    }
    media.zero(first * VirtioBlock.SECTOR, count * VirtioBlock.SECTOR);
    return VirtioBlock.OK;
  }

  private boolean isInside(long sector, long length) {
    return length % VirtioBlock.SECTOR == 0
        && sector >= 0
        && sector <= sectors()
        && length / VirtioBlock.SECTOR <= sectors() - sector;
  }

  private long sectors() {
    return media.size() / VirtioBlock.SECTOR;
  }

  @Override
  public void reset() {}

  @Override
  public void close() {
    media.close();
  }
}
