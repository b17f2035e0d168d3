package org.gatun.simulated.media;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.OptionalLong;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.simulated.DmaPort;

/** Blocks in a file, mapped and locked. */
public final class FileMedia implements Media {
  private final FileChannel channel;
  private final Arena arena;
  private final MemorySegment memory;

  private FileMedia(FileChannel channel, Arena arena, MemorySegment memory) {
    this.channel = channel;
    this.arena = arena;
    this.memory = memory;
  }

  /**
   * Opens a file as a disk.
   *
   * @param wanted how much of it is used; all if empty
   */
  @SuppressWarnings("MustBeClosed") // the result closes both
  public static FileMedia open(DeviceName device, Path file, OptionalLong wanted, int blockSize) {
    FileChannel channel;
    try {
      channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
    } catch (NoSuchFileException e) {
      throw new DeviceUnavailableException(
          device,
          "there is no file " + file,
          "create it: truncate -s %s %s".formatted(size(wanted), file),
          e);
    } catch (AccessDeniedException e) {
      throw new DeviceUnavailableException(
          device, "no permission to read and write " + file, "change its mode or owner", e);
    } catch (IOException e) {
      throw new DeviceUnavailableException(
          device, "can't open " + file + ": " + e.getMessage(), "name a regular file", e);
    }
    Arena arena = Arena.ofShared();
    try {
      lock(device, file, channel);
      long size = checkedSize(device, file, channel.size(), wanted, blockSize);
      return new FileMedia(channel, arena, channel.map(MapMode.READ_WRITE, 0, size, arena));
    } catch (IOException e) {
      release(channel, arena);
      throw new DeviceUnavailableException(
          device, "can't map " + file + ": " + e.getMessage(), "name a regular file", e);
    } catch (RuntimeException e) {
      release(channel, arena);
      throw e;
    }
  }

  @Override
  public long size() {
    return memory.byteSize();
  }

  @Override
  public boolean toHost(DmaPort port, long busAddress, long offset, long length) {
    return port.write(busAddress, memory, offset, length);
  }

  @Override
  public boolean fromHost(DmaPort port, long busAddress, long offset, long length) {
    return port.read(busAddress, memory, offset, length);
  }

  @Override
  public void read(long offset, MemorySegment target, long targetOffset, long length) {
    MemorySegment.copy(memory, offset, target, targetOffset, length);
  }

  @Override
  public void zero(long offset, long length) {
    memory.asSlice(offset, length).fill((byte) 0);
  }

  @Override
  public void flush() {
    memory.force();
  }

  @Override
  public void close() {
    release(channel, arena);
  }

  private static void lock(DeviceName device, Path file, FileChannel channel) throws IOException {
    boolean locked;
    try {
      locked = channel.tryLock() != null;
    } catch (OverlappingFileLockException _) {
      locked = false; // by this process
    }
    if (!locked) {
      throw new DeviceUnavailableException(
          device, file + " is in use as another disk", "close that, or name another file", null);
    }
  }

  private static long checkedSize(
      DeviceName device, Path file, long found, OptionalLong wanted, int blockSize) {
    long size = wanted.orElse(found);
    if (found < size || found == 0) {
      throw new DeviceUnavailableException(
          device,
          "%s has %d bytes, and the disk is to have %s: the image is truncated"
              .formatted(file, found, size(wanted)),
          "restore it, or lengthen it: truncate -s %s %s".formatted(size(wanted), file),
          null);
    }
    if (size % blockSize != 0) {
      throw new DeviceUnavailableException(
          device,
          "%s has %d bytes, which is not a multiple of the block, %d bytes: the image is truncated"
              .formatted(file, found, blockSize),
          "restore it, or say how much of it to use: size=" + size / blockSize * blockSize,
          null);
    }
    return size;
  }

  private static String size(OptionalLong wanted) {
    return wanted.isPresent() ? Long.toString(wanted.getAsLong()) : "1G";
  }

  private static void release(FileChannel channel, Arena arena) {
    arena.close();
    try {
      channel.close();
    } catch (IOException _) {
      // Nothing was written through the channel, so nothing is lost with it.
    }
  }
}
