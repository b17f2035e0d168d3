package org.gatun.simulated;

import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;
import org.gatun.simulated.media.FileMedia;
import org.gatun.simulated.media.Media;
import org.gatun.simulated.media.MemoryMedia;
import org.gatun.simulated.virtio.BlockKind;
import org.gatun.simulated.virtio.VirtioDevice;
import org.gatun.specs.virtio.VirtioBlock;
import org.gatun.specs.virtio.VirtioType;

/**
 * A disk (Virtual I/O Device, Version 1.2, 5.2) with one queue.
 *
 * @param file where its blocks are; empty for memory, which is zeros each time it is plugged in
 * @param size in bytes, a multiple of the block size, up to 16 TiB; empty for all of the file, or
 *     64 MiB
 * @param blockSize 512 or 4096
 * @param serial up to 20 characters of ASCII
 */
public record VirtioBlockModel(
    Optional<Path> file, OptionalLong size, int blockSize, boolean readOnly, String serial)
    implements DeviceModel {
  private static final long DEFAULT_SIZE = 64L << 20;

  /** In memory, of 64 MiB, with blocks of 512 bytes. */
  public static final VirtioBlockModel DEFAULT =
      new VirtioBlockModel(Optional.empty(), OptionalLong.empty(), 512, false, "gatun");

  /**
   * @throws IllegalArgumentException if a part breaks its rule
   */
  public VirtioBlockModel {
    if (blockSize != 512 && blockSize != 4096) {
      throw new IllegalArgumentException("a block has 512 or 4096 bytes, not " + blockSize);
    }
    long bytes = size.orElse(DEFAULT_SIZE);
    if (bytes < VirtioBlock.SECTOR || bytes > MemoryMedia.MAX_SIZE) {
      throw new IllegalArgumentException(
          "the size is from %d to %d, not %d"
              .formatted(VirtioBlock.SECTOR, MemoryMedia.MAX_SIZE, bytes));
    }
    if (bytes % blockSize != 0) {
      throw new IllegalArgumentException(
          "the size, %d bytes, is not one or more blocks of %d".formatted(bytes, blockSize));
    }
    if (serial.length() > VirtioBlock.ID_SIZE || !serial.chars().allMatch(c -> c < 0x80)) {
      throw new IllegalArgumentException(
          "a serial number is up to 20 characters of ASCII, not '" + serial + "'");
    }
  }

  /** The same with another size. */
  public VirtioBlockModel withSize(long bytes) {
    return new VirtioBlockModel(file, OptionalLong.of(bytes), blockSize, readOnly, serial);
  }

  /** The same in a file. */
  public VirtioBlockModel withFile(Path path) {
    return new VirtioBlockModel(Optional.of(path), size, blockSize, readOnly, serial);
  }

  /** The same with blocks of another size. */
  public VirtioBlockModel withBlockSize(int bytes) {
    return new VirtioBlockModel(file, size, bytes, readOnly, serial);
  }

  /** The same with another serial number. */
  public VirtioBlockModel withSerial(String text) {
    return new VirtioBlockModel(file, size, blockSize, readOnly, text);
  }

  /** The same, not to be written. */
  public VirtioBlockModel asReadOnly() {
    return new VirtioBlockModel(file, size, blockSize, true, serial);
  }

  @Override
  public FunctionDescription description() {
    return VirtioDevice.description(VirtioType.BLOCK, 1);
  }

  @Override
  public RunningModel start(ModelContext context) {
    Media media =
        file.<Media>map(path -> FileMedia.open(context.name(), path, size, blockSize))
            .orElseGet(() -> new MemoryMedia(size.orElse(DEFAULT_SIZE)));
    return VirtioDevice.start(new BlockKind(media, blockSize, readOnly, serial), context);
  }
}
