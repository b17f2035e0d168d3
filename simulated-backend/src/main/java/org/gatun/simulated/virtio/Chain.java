package org.gatun.simulated.virtio;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.gatun.simulated.DmaPort;
import org.gatun.simulated.fault.Effect;
import org.jspecify.annotations.Nullable;

/**
 * A chain of a driver's buffers: first those that the device reads, then those that it writes
 * (2.7.4.2). Each is gone through once, from its start.
 */
final class Chain {
  private record Buffer(long busAddress, long length) {}

  private final DmaPort port;
  private final int head;

  /** What is to go wrong with it; null if nothing. */
  private @Nullable Effect effect;

  private final List<Buffer> readable = new ArrayList<>();
  private final List<Buffer> writable = new ArrayList<>();
  private long readableLength;
  private long writableLength;
  private long read;
  private long written;

  /** Bytes that were written before any that were left out. */
  private long prefix;

  private boolean leftOut;

  /**
   * @param head the first descriptor
   */
  Chain(DmaPort port, int head) {
    this.port = port;
    this.head = head;
  }

  /** Adds a buffer; false if it is one to be read behind one to be written. */
  boolean add(long busAddress, long length, boolean write) {
    if (write) {
      writable.add(new Buffer(busAddress, length));
      writableLength += length;
      return true;
    }
    readable.add(new Buffer(busAddress, length));
    readableLength += length;
    return writable.isEmpty();
  }

  int head() {
    return head;
  }

  @Nullable Effect effect() {
    return effect;
  }

  void effect(@Nullable Effect what) {
    effect = what;
  }

  /** Bytes that are left to read. */
  long readable() {
    return readableLength - read;
  }

  /** Bytes that are left to write. */
  long writable() {
    return writableLength - written;
  }

  /** Bytes that were written, from the first one on without a gap (2.7.8.2). */
  long written() {
    return leftOut ? prefix : written;
  }

  /** Leaves the next bytes to be written as they are. */
  void skip(long length) {
    if (length > 0 && !leftOut) {
      leftOut = true;
      prefix = written;
    }
    written += length;
  }

  /** Something that moves bytes between a bus address and a place of the device's. */
  @FunctionalInterface
  interface Mover {
    /** Whether it was done; else the IOMMU has refused it. */
    boolean move(long busAddress, long offset, long length);
  }

  /** Moves the next bytes to be read; false if there are not that many, or not all were had. */
  boolean read(long length, Mover mover) {
    boolean done = move(readable, read, length, mover);
    read += length;
    return done;
  }

  /** Moves the next bytes to be written; false if there is not that much room, or not for all. */
  boolean write(long length, Mover mover) {
    boolean done = move(writable, written, length, mover);
    if (done) {
      written += length;
    } else {
      skip(length); // nobody knows how much of it is there
    }
    return done;
  }

  /** Reads into a place of the device's. */
  boolean read(MemorySegment target, long targetOffset, long length) {
    return read(
        length, (address, offset, part) -> port.read(address, target, targetOffset + offset, part));
  }

  /** Writes from a place of the device's. */
  boolean write(MemorySegment source, long sourceOffset, long length) {
    return write(
        length,
        (address, offset, part) -> port.write(address, source, sourceOffset + offset, part));
  }

  private static boolean move(List<Buffer> buffers, long from, long length, Mover mover) {
    long skip = from;
    long done = 0;
    for (Buffer buffer : buffers) {
      if (done == length) {
        break;
      }
      if (skip >= buffer.length) {
        skip -= buffer.length;
        continue;
      }
      long part = Math.min(length - done, buffer.length - skip);
      if (!mover.move(buffer.busAddress + skip, done, part)) {
        return false;
      }
      skip = 0;
      done += part;
    }
    return done == length;
  }
}
