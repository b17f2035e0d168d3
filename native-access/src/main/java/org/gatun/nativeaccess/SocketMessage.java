package org.gatun.nativeaccess;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;

/**
 * A thread's {@code struct msghdr}, with what it points to: one part of data, which is the
 * caller's, and room for the descriptors that go with it. Like {@link Scratch}, it is there so that
 * a message allocates nothing, and what is in it is meaningful only from filling it to the end of
 * the call.
 */
final class SocketMessage {
  /** {@code SCM_MAX_FD}: as many descriptors the kernel lets a message carry. */
  static final int MAX_DESCRIPTORS = 253;

  private static final ThreadLocal<SocketMessage> OF_THREAD =
      ThreadLocal.withInitial(SocketMessage::new);

  private final MemorySegment header = Arena.ofAuto().allocate(Abi.MSGHDR);
  private final MemorySegment iovec = Arena.ofAuto().allocate(Abi.IOVEC);
  private final MemorySegment control =
      Arena.ofAuto().allocate(controlLength(MAX_DESCRIPTORS), Abi.CMSGHDR.byteAlignment());

  private SocketMessage() {
    header.set(JAVA_LONG, Abi.MSGHDR_IOV, iovec.address());
    header.set(JAVA_LONG, Abi.MSGHDR_IOVLEN, 1);
  }

  static SocketMessage ofThread() {
    return OF_THREAD.get();
  }

  /** The {@code struct msghdr}. */
  MemorySegment header() {
    return header;
  }

  /**
   * Checks what the JVM would check of an access to the data: the kernel gets only an address.
   *
   * @param length in bytes, positive: no bytes carry no descriptors
   */
  static void check(MemorySegment data, long offset, long length) {
    if (length <= 0) {
      throw new IllegalArgumentException("length " + length + ": must be positive");
    }
    Objects.checkFromIndexSize(offset, length, data.byteSize());
    if (!data.isNative()) {
      throw new IllegalArgumentException("Heap segment not allowed: " + data);
    }
    if (!data.scope().isAlive()) {
      throw new IllegalStateException("Already closed");
    }
    if (!data.isAccessibleBy(Thread.currentThread())) {
      throw new WrongThreadException("Attempted access outside owning thread: " + data);
    }
  }

  /** Sets the data, which {@link #check} found good. */
  void data(MemorySegment data, long offset, long length) {
    iovec.set(JAVA_LONG, Abi.IOVEC_BASE, data.address() + offset);
    iovec.set(JAVA_LONG, Abi.IOVEC_LEN, length);
  }

  /**
   * Makes room for at most so many descriptors: without the padding that {@code CMSG_SPACE} has, in
   * which the kernel would put one more.
   */
  void roomFor(int descriptors) {
    header.set(JAVA_LONG, Abi.MSGHDR_CONTROL, descriptors == 0 ? 0 : control.address());
    header.set(JAVA_LONG, Abi.MSGHDR_CONTROLLEN, descriptors == 0 ? 0 : controlLength(descriptors));
    header.set(JAVA_INT, Abi.MSGHDR_FLAGS, 0);
  }

  /** Puts so many descriptors, held, in; one at least. */
  void put(HeldFds descriptors, int count) {
    roomFor(count);
    control.set(JAVA_LONG, Abi.CMSGHDR_LEN, controlLength(count));
    control.set(JAVA_INT, Abi.CMSGHDR_LEVEL, Abi.SOL_SOCKET);
    control.set(JAVA_INT, Abi.CMSGHDR_TYPE, Abi.SCM_RIGHTS);
    for (int i = 0; i < count; i++) {
      control.set(JAVA_INT, controlLength(i), descriptors.number(i));
    }
  }

  /** Whether there was more control data than room. */
  boolean isTruncated() {
    return (header.get(JAVA_INT, Abi.MSGHDR_FLAGS) & Abi.MSG_CTRUNC) != 0;
  }

  /**
   * Takes over the descriptors that came.
   *
   * @param description of each, for messages
   */
  void take(List<Fd> descriptors, String description) {
    long length = header.get(JAVA_LONG, Abi.MSGHDR_CONTROLLEN);
    long at = 0;
    while (at + Abi.CMSGHDR.byteSize() <= length) {
      long end = at + control.get(JAVA_LONG, at + Abi.CMSGHDR_LEN);
      // What else there may be, such as the sender's credentials, is of no use here.
      if (control.get(JAVA_INT, at + Abi.CMSGHDR_LEVEL) == Abi.SOL_SOCKET
          && control.get(JAVA_INT, at + Abi.CMSGHDR_TYPE) == Abi.SCM_RIGHTS) {
        for (long i = at + Abi.CMSGHDR.byteSize(); i + Integer.BYTES <= end; i += Integer.BYTES) {
          descriptors.add(new Fd(control.get(JAVA_INT, i), description));
        }
      }
      at = end + Long.BYTES - 1 & -Long.BYTES;
    }
  }

  /** Whether control data came. */
  boolean hasControl() {
    return header.get(JAVA_LONG, Abi.MSGHDR_CONTROLLEN) != 0;
  }

  /** {@code CMSG_LEN} of an array of {@code int}. */
  private static long controlLength(int descriptors) {
    return Abi.CMSGHDR.byteSize() + (long) descriptors * Integer.BYTES;
  }
}
