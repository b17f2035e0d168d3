package org.gatun.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.function.IntConsumer;

/**
 * A file as an end of a copy. Its transfers are done at once, from and to the kernel's cache. One
 * that is written is empty before: chunks of zeros are left out, and stay holes.
 */
final class CopyFileEnd implements CopyEnd {
  private final String name;
  private final FileChannel channel;
  private final long offset;
  private final MemorySegment memory;
  private final int chunk;
  private final MemorySegment zeros;
  private long end;

  /**
   * @param name for messages
   * @param offset where the copy begins in the file
   * @param memory has the slots: its own, or that of the other end, so that nothing is moved
   * @param chunk the size of a slot
   */
  CopyFileEnd(String name, FileChannel channel, long offset, MemorySegment memory, int chunk) {
    this.name = name;
    this.channel = channel;
    this.offset = offset;
    this.memory = memory;
    this.chunk = chunk;
    this.zeros = Arena.ofAuto().allocate(chunk);
  }

  /** As many as there are slots: none is in flight for long. */
  @Override
  public int depth() {
    return NvmeCopy.SLOTS;
  }

  @Override
  public MemorySegment memory() {
    return memory;
  }

  @Override
  public void read(int slot, long position, int length, IntConsumer done) {
    ByteBuffer bytes = slot(slot, length).asByteBuffer();
    try {
      while (bytes.hasRemaining()) {
        if (channel.read(bytes, offset + position + bytes.position()) < 0) {
          throw new IOException("it ended early, at byte " + channel.size());
        }
      }
    } catch (IOException e) {
      throw failed(e);
    }
    done.accept(slot);
  }

  @Override
  public void write(int slot, long position, int length, IntConsumer done) {
    MemorySegment data = slot(slot, length);
    end = Math.max(end, offset + position + length);
    if (data.mismatch(zeros.asSlice(0, length)) >= 0) {
      write(data.asByteBuffer(), offset + position);
    }
    done.accept(slot);
  }

  @Override
  public void poll() {
    // All was done at once.
  }

  /** A hole at the end is part of the file, too. */
  @Override
  public void flush() {
    try {
      if (channel.size() < end) {
        write(ByteBuffer.allocate(1), end - 1);
      }
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private void write(ByteBuffer bytes, long at) {
    try {
      while (bytes.hasRemaining()) {
        channel.write(bytes, at + bytes.position());
      }
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private MemorySegment slot(int slot, int length) {
    return memory.asSlice((long) slot * chunk, length);
  }

  private UncheckedIOException failed(IOException e) {
    return new UncheckedIOException(name + ": " + e.getMessage(), e);
  }
}
