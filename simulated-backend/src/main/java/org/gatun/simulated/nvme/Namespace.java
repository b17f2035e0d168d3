package org.gatun.simulated.nvme;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.UUID;
import org.gatun.simulated.media.Media;
import org.gatun.specs.nvme.LbaFormat;

/**
 * A namespace: its medium, and how that is formatted. Format and identity are guarded by the
 * controller's monitor; {@link #blockShift} is for any thread.
 */
final class Namespace {
  /** What {@link #blockShift} is while the namespace is being formatted. */
  static final int FORMATTING = 0;

  private static final List<LbaFormat> FORMATS =
      List.of(new LbaFormat(0, 9, 0), new LbaFormat(0, 12, 0));

  final int id;
  final Media media;
  private final UUID uuid;
  private int format;
  private volatile int blockShift;

  /**
   * @param serial of the controller
   * @param blockSize that of one of the formats
   */
  Namespace(int id, String serial, Media media, int blockSize) {
    this.id = id;
    this.media = media;
    this.uuid =
        UUID.nameUUIDFromBytes("%s/%d".formatted(serial, id).getBytes(StandardCharsets.UTF_8));
    while (FORMATS.get(format).blockSize() != blockSize) {
      format++;
    }
    this.blockShift = FORMATS.get(format).lbads();
  }

  /** Those that it can have: a medium has one block at least. */
  List<LbaFormat> formats() {
    return FORMATS.stream().filter(candidate -> candidate.blockSize() <= media.size()).toList();
  }

  /** The index of the format that it has. */
  int format() {
    return format;
  }

  /** How many blocks it has in its format. */
  long blocks() {
    return media.size() >>> FORMATS.get(format).lbads();
  }

  /**
   * The size of a block as a power of two, or {@link #FORMATTING}. Who reads it holds the monitor
   * of a completion queue until what it is read for is done: see {@link NvmeDevice#isInUse}.
   */
  int blockShift() {
    return blockShift;
  }

  /** From now on no command is begun. */
  void close() {
    blockShift = FORMATTING;
  }

  /** Commands may come again, in blocks of this format. */
  void open(int newFormat) {
    format = newFormat;
    blockShift = FORMATS.get(newFormat).lbads();
  }

  /** As unique as the serial number of the controller. */
  UUID uuid() {
    return uuid;
  }

  /** QEMU's OUI, and of the UUID what there is room for. */
  byte[] eui64() {
    return ByteBuffer.allocate(8)
        .putLong(0x525400L << 40 | uuid.getMostSignificantBits() >>> 24)
        .array();
  }
}
