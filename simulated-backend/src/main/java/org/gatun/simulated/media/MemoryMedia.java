package org.gatun.simulated.media;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.gatun.simulated.DmaPort;
import org.jspecify.annotations.Nullable;

/** Blocks in memory, which is only there for those parts that were written once. */
public final class MemoryMedia implements Media {
  /** The most bytes: enough for any test, and chunks of it can still be counted. */
  public static final long MAX_SIZE = 1L << 44;

  private static final int CHUNK_SHIFT = 21;
  private static final long CHUNK = 1L << CHUNK_SHIFT;

  /** What all media read where nothing was written. */
  private static final MemorySegment ZEROS = Arena.global().allocate(1 << 16).asReadOnly();

  private final Arena arena = Arena.ofShared();
  private final long size;
  private final AtomicReferenceArray<@Nullable MemorySegment> chunks;

  /**
   * All zeros.
   *
   * @param size in bytes, up to {@link #MAX_SIZE}
   */
  public MemoryMedia(long size) {
    this.size = size;
    this.chunks = new AtomicReferenceArray<>((int) ((size + CHUNK - 1) >>> CHUNK_SHIFT));
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public boolean toHost(DmaPort port, long busAddress, long offset, long length) {
    long done = 0;
    while (done < length) {
      long at = offset + done;
      long part = part(at, length - done);
      MemorySegment chunk = chunks.get((int) (at >>> CHUNK_SHIFT));
      if (chunk == null) {
        part = Math.min(part, ZEROS.byteSize());
      }
      if (!port.write(
          busAddress + done,
          chunk == null ? ZEROS : chunk,
          chunk == null ? 0 : at & (CHUNK - 1),
          part)) {
        return false;
      }
      done += part;
    }
    return true;
  }

  @Override
  public boolean fromHost(DmaPort port, long busAddress, long offset, long length) {
    long done = 0;
    while (done < length) {
      long at = offset + done;
      long part = part(at, length - done);
      if (!port.read(busAddress + done, chunk(at), at & (CHUNK - 1), part)) {
        return false;
      }
      done += part;
    }
    return true;
  }

  @Override
  public void read(long offset, MemorySegment target, long targetOffset, long length) {
    long done = 0;
    while (done < length) {
      long at = offset + done;
      long part = part(at, length - done);
      MemorySegment chunk = chunks.get((int) (at >>> CHUNK_SHIFT));
      if (chunk == null) {
        part = Math.min(part, ZEROS.byteSize());
      }
      MemorySegment.copy(
          chunk == null ? ZEROS : chunk,
          chunk == null ? 0 : at & (CHUNK - 1),
          target,
          targetOffset + done,
          part);
      done += part;
    }
  }

  @Override
  public void zero(long offset, long length) {
    long done = 0;
    while (done < length) {
      long at = offset + done;
      long part = part(at, length - done);
      MemorySegment chunk = chunks.get((int) (at >>> CHUNK_SHIFT));
      if (chunk != null) {
        chunk.asSlice(at & (CHUNK - 1), part).fill((byte) 0);
      }
      done += part;
    }
  }

  @Override
  public void flush() {}

  @Override
  public void close() {
    arena.close();
  }

  private MemorySegment chunk(long offset) {
    int index = (int) (offset >>> CHUNK_SHIFT);
    MemorySegment chunk = chunks.get(index);
    return chunk != null ? chunk : create(index);
  }

  private synchronized MemorySegment create(int index) {
    MemorySegment chunk = chunks.get(index);
    if (chunk == null) {
      chunk = arena.allocate(CHUNK);
      chunks.set(index, chunk);
    }
    return chunk;
  }

  private static long part(long offset, long length) {
    return Math.min(length, CHUNK - (offset & (CHUNK - 1)));
  }
}
