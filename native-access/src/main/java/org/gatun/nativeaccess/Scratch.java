package org.gatun.nativeaccess;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A thread's native memory for the arguments of short calls, so that these allocate nothing. What
 * is in it is meaningful only from filling it to the end of the call.
 */
final class Scratch {
  private static final ThreadLocal<Scratch> OF_THREAD = ThreadLocal.withInitial(Scratch::new);

  /** Eight bytes, for a register or an eventfd's counter. */
  final MemorySegment value = Arena.ofAuto().allocate(JAVA_LONG);

  /** One {@link Abi#IOVEC}, of the {@link #value}. */
  final MemorySegment valueVector = Arena.ofAuto().allocate(Abi.IOVEC);

  /** Two {@link Abi#POLLFD}. */
  final MemorySegment pollFds = Arena.ofAuto().allocate(Abi.POLLFD, 2);

  /** One {@link Abi#TIMESPEC}. */
  final MemorySegment timespec = Arena.ofAuto().allocate(Abi.TIMESPEC);

  private Scratch() {
    valueVector.set(JAVA_LONG, Abi.IOVEC_BASE, value.address());
    valueVector.set(JAVA_LONG, Abi.IOVEC_LEN, value.byteSize());
  }

  static Scratch ofThread() {
    return OF_THREAD.get();
  }
}
