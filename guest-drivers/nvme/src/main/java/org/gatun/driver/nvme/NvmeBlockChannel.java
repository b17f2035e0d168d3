package org.gatun.driver.nvme;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.GatheringByteChannel;
import java.nio.channels.ScatteringByteChannel;
import java.nio.channels.SeekableByteChannel;
import java.util.Objects;
import org.gatun.pci.PciException;

/**
 * A namespace as a channel, for Java code that knows files and no disks. Its size is that of the
 * namespace, and stays so: a write beyond the end is an {@link IOException}, of which nothing is
 * done.
 *
 * <p>A disk is read and written in whole blocks: the position, and what remains in each buffer, is
 * a multiple of {@link #blockSize}. If not, a call throws {@link IllegalArgumentException} with
 * what is wrong, and nothing is done.
 *
 * <p>Any thread, one at a time: others wait. A command that fails, or a controller that is gone, is
 * an {@link IOException} with the driver's {@link PciException} as its cause; the positions of
 * channel and buffers are then after the last buffer of which all was done.
 */
public final class NvmeBlockChannel
    implements SeekableByteChannel, ScatteringByteChannel, GatheringByteChannel {
  private final NvmeDisk disk;
  private final NvmeNamespace namespace;
  private final int blockSize;
  private final long size;
  private long position;
  private boolean open = true;

  /**
   * At the first block.
   *
   * @param disk is taken over: closing the channel closes it, and nobody else uses it
   */
  public NvmeBlockChannel(NvmeDisk disk) {
    this.disk = disk;
    this.namespace = disk.namespace();
    this.blockSize = namespace.blockSize();
    this.size = namespace.sizeBytes();
  }

  private enum Direction {
    READ,
    WRITE
  }

  /** The size of a block in bytes. */
  public int blockSize() {
    return blockSize;
  }

  /**
   * Reads from the position on, as much as the buffer takes, or up to the end.
   *
   * @return the number of bytes; -1 at the end
   */
  @Override
  public int read(ByteBuffer target) throws IOException {
    return (int) read(new ByteBuffer[] {target}, 0, 1);
  }

  /**
   * Reads as {@link #read(ByteBuffer)}, from another place; the position stays where it is.
   *
   * @param from in bytes
   */
  public synchronized int read(ByteBuffer target, long from) throws IOException {
    return (int) transfer(Direction.READ, from, new ByteBuffer[] {target}, 0, 1);
  }

  @Override
  public long read(ByteBuffer[] targets) throws IOException {
    return read(targets, 0, targets.length);
  }

  @Override
  public synchronized long read(ByteBuffer[] targets, int first, int count) throws IOException {
    return moving(Direction.READ, targets, first, count);
  }

  /**
   * Writes all that remains in the buffer, at the position.
   *
   * @return the number of bytes
   */
  @Override
  public int write(ByteBuffer source) throws IOException {
    return (int) write(new ByteBuffer[] {source}, 0, 1);
  }

  /**
   * Writes as {@link #write(ByteBuffer)}, at another place; the position stays where it is.
   *
   * @param to in bytes
   */
  public synchronized int write(ByteBuffer source, long to) throws IOException {
    return (int) transfer(Direction.WRITE, to, new ByteBuffer[] {source}, 0, 1);
  }

  @Override
  public long write(ByteBuffer[] sources) throws IOException {
    return write(sources, 0, sources.length);
  }

  @Override
  public synchronized long write(ByteBuffer[] sources, int first, int count) throws IOException {
    return moving(Direction.WRITE, sources, first, count);
  }

  /** Has all that was written stay, whatever happens to the power. */
  public synchronized void force() throws IOException {
    checkOpen();
    try {
      disk.flush();
    } catch (PciException e) {
      throw new IOException(e.getMessage(), e);
    }
  }

  @Override
  public synchronized long position() throws IOException {
    checkOpen();
    return position;
  }

  /** Moves the position: it may be anywhere until something is read or written there. */
  @Override
  public synchronized NvmeBlockChannel position(long newPosition) throws IOException {
    checkOpen();
    if (newPosition < 0) {
      throw new IllegalArgumentException("a position is not negative: " + newPosition);
    }
    position = newPosition;
    return this;
  }

  @Override
  public synchronized long size() throws IOException {
    checkOpen();
    return size;
  }

  /**
   * A disk does not get shorter.
   *
   * @throws IOException if that is what is wanted; a size from its own on changes nothing but a
   *     position beyond
   */
  @Override
  public synchronized NvmeBlockChannel truncate(long newSize) throws IOException {
    checkOpen();
    if (newSize < 0) {
      throw new IllegalArgumentException("a size is not negative: " + newSize);
    }
    if (newSize < size) {
      throw new IOException(
          "%s: a namespace of %d bytes can't be truncated".formatted(namespace, size));
    }
    position = Math.min(position, newSize);
    return this;
  }

  @Override
  public synchronized boolean isOpen() {
    return open;
  }

  @Override
  public synchronized void close() throws IOException {
    if (!open) {
      return;
    }
    open = false;
    try {
      disk.close();
    } catch (PciException e) {
      throw new IOException(e.getMessage(), e);
    }
  }

  private long moving(Direction direction, ByteBuffer[] buffers, int first, int count)
      throws IOException {
    Objects.checkFromIndexSize(first, count, buffers.length);
    long before = remaining(buffers, first, count);
    try {
      return transfer(direction, position, buffers, first, count);
    } finally {
      position += before - remaining(buffers, first, count);
    }
  }

  private long transfer(Direction direction, long from, ByteBuffer[] buffers, int first, int count)
      throws IOException {
    checkOpen();
    check(direction, from, buffers, first, count);
    long wanted = remaining(buffers, first, count);
    if (wanted == 0) {
      return 0;
    }
    long there = Math.max(size - from, 0);
    if (direction == Direction.READ && there == 0) {
      return -1;
    }
    if (direction == Direction.WRITE && wanted > there) {
      throw new IOException(
          "%s: %d bytes at %d are beyond its end at %d".formatted(namespace, wanted, from, size));
    }
    long left = Math.min(wanted, there);
    long at = from;
    for (int i = first; left > 0; i++) {
      ByteBuffer buffer = buffers[i];
      int length = (int) Math.min(buffer.remaining(), left);
      move(direction, at, buffer.slice(buffer.position(), length));
      buffer.position(buffer.position() + length);
      at += length;
      left -= length;
    }
    return at - from;
  }

  private void move(Direction direction, long at, ByteBuffer buffer) throws IOException {
    MemorySegment memory = MemorySegment.ofBuffer(buffer);
    try {
      switch (direction) {
        case READ -> disk.read(at, memory);
        case WRITE -> disk.write(at, memory);
      }
    } catch (PciException e) {
      throw new IOException(e.getMessage(), e);
    }
  }

  private void check(Direction direction, long from, ByteBuffer[] buffers, int first, int count) {
    if (from < 0 || from % blockSize != 0) {
      throw new IllegalArgumentException(
          "%s: position %d is not at one of its blocks of %d bytes"
              .formatted(namespace, from, blockSize));
    }
    for (int i = first; i < first + count; i++) {
      if (buffers[i].remaining() % blockSize != 0) {
        throw new IllegalArgumentException(
            "%s: the %d bytes that remain in a buffer are not whole blocks of %d"
                .formatted(namespace, buffers[i].remaining(), blockSize));
      }
      if (direction == Direction.READ && buffers[i].isReadOnly()) {
        throw new IllegalArgumentException("a read-only buffer can't be read into");
      }
    }
  }

  private static long remaining(ByteBuffer[] buffers, int first, int count) {
    long sum = 0;
    for (int i = first; i < first + count; i++) {
      sum += buffers[i].remaining();
    }
    return sum;
  }

  private void checkOpen() throws ClosedChannelException {
    if (!open) {
      throw new ClosedChannelException();
    }
  }
}
