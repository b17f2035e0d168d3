package org.gatun.hostile;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.gatun.hostile.nativehelper.Native;

/** A socket that the process has, used past the code that it is for. */
final class RawSocket {
  /** As the launcher inherits it. */
  private static final int CONTROL = 3;

  private static final int PATIENCE_SECONDS = 20;
  private static final int BRIEF_SECONDS = 2;

  // x86-64 and <bits/socket.h>
  private static final int SENDMSG = 46;
  private static final int RECVMSG = 47;
  private static final int SETSOCKOPT = 54;
  private static final int SHUTDOWN = 48;
  private static final int SOL_SOCKET = 1;
  private static final int SO_RCVTIMEO = 20;
  private static final int SCM_RIGHTS = 1;
  private static final int MSG_CTRUNC = 8;
  static final int MSG_DONTWAIT = 0x40;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int CMSG_HEADER = 16;
  private static final int CONTROL_SIZE = 1024;

  private final Arena arena = Arena.ofAuto();
  private final MemorySegment header = arena.allocate(56, 8);
  private final MemorySegment vector = arena.allocate(16, 8);
  private final MemorySegment control = arena.allocate(CONTROL_SIZE, 8);
  private final int number;
  private int descriptors;

  private RawSocket(int number) {
    this.number = number;
    waitAtMost(PATIENCE_SECONDS);
  }

  /** Sets how long to wait for bytes. */
  private void waitAtMost(int seconds) {
    MemorySegment limit = arena.allocate(16, 8);
    limit.set(JAVA_LONG, 0, seconds);
    Native.call(SETSOCKOPT, number, SOL_SOCKET, SO_RCVTIMEO, limit.address(), 16);
  }

  /** Does something that may be waiting in vain for bytes, and has to wait only for a moment. */
  void briefly(Runnable action) {
    waitAtMost(BRIEF_SECONDS);
    action.run();
    waitAtMost(PATIENCE_SECONDS);
  }

  /** The one to the broker. */
  static RawSocket control() {
    return new RawSocket(CONTROL);
  }

  /**
   * The one at which the device is served. It is taken from the code that it is for, which would
   * read what is meant for this: that one finds {@code /dev/null} in its place.
   */
  static RawSocket device() throws IOException {
    int theirs =
        numbers().stream()
            .filter(number -> number != CONTROL && target(number).startsWith("socket:"))
            .findFirst()
            .orElseThrow();
    int ours = (int) Native.call(32, theirs); // dup
    Native.call(3, theirs); // close
    while (openNull() < theirs) {
      // The lowest number that is free is taken first.
    }
    return new RawSocket(ours);
  }

  /** A descriptor that is of no use to anybody. */
  static int openNull() {
    try (Arena arena = Arena.ofConfined()) {
      long number = Native.call(257, -100, arena.allocateFrom("/dev/null").address(), 0, 0);
      if (number < 0) {
        throw new IllegalStateException("openat /dev/null: " + number);
      }
      return (int) number;
    }
  }

  /** The descriptors of this process. */
  static List<Integer> numbers() throws IOException {
    try (Stream<Path> links = Files.list(Path.of("/proc/self/fd"))) {
      return links.map(link -> Integer.parseInt(link.getFileName().toString())).sorted().toList();
    }
  }

  /** What a descriptor refers to. */
  static String target(int number) {
    try {
      return Files.readSymbolicLink(Path.of("/proc/self/fd", Integer.toString(number))).toString();
    } catch (IOException e) {
      return ""; // it was that of the folder
    }
  }

  /** How many descriptors have come so far. */
  int descriptors() {
    return descriptors;
  }

  /** Sends bytes, and descriptors with them; returns how many bytes, or the negative of errno. */
  long send(byte[] bytes, int flags, int... passed) {
    MemorySegment data = arena.allocate(Math.max(bytes.length, 1));
    MemorySegment.copy(bytes, 0, data, JAVA_BYTE, 0, bytes.length);
    return send(data, bytes.length, flags, passed);
  }

  long send(MemorySegment data, long length, int flags, int... passed) {
    long controlSize = 0;
    if (passed.length > 0) {
      control.set(JAVA_LONG, 0, CMSG_HEADER + 4L * passed.length);
      control.set(JAVA_INT, 8, SOL_SOCKET);
      control.set(JAVA_INT, 12, SCM_RIGHTS);
      for (int i = 0; i < passed.length; i++) {
        control.set(JAVA_INT, CMSG_HEADER + 4L * i, passed[i]);
      }
      controlSize = CMSG_HEADER + (4L * passed.length + 7) / 8 * 8;
    }
    describe(data, length, controlSize);
    return Native.call(SENDMSG, number, header.address(), flags | MSG_NOSIGNAL);
  }

  /** Receives at most so many bytes, and whatever descriptors come; nothing if it fails. */
  byte[] receive(int most, int flags) {
    MemorySegment data = arena.allocate(most);
    describe(data, most, CONTROL_SIZE);
    long count = Native.call(RECVMSG, number, header.address(), flags);
    long controlSize = header.get(JAVA_LONG, 40);
    if (count > 0 && controlSize >= CMSG_HEADER) {
      descriptors += (int) ((control.get(JAVA_LONG, 0) - CMSG_HEADER) / 4);
    }
    if (count > 0 && (header.get(JAVA_INT, 48) & MSG_CTRUNC) != 0) {
      descriptors++;
    }
    return count < 0 ? new byte[0] : data.asSlice(0, count).toArray(JAVA_BYTE);
  }

  /** Receives just so many; fewer at the end of the stream. */
  byte[] receiveAll(int length) {
    byte[] all = new byte[length];
    int there = 0;
    while (there < length) {
      byte[] part = receive(length - there, 0);
      if (part.length == 0) {
        return Arrays.copyOf(all, there);
      }
      System.arraycopy(part, 0, all, there, part.length);
      there += part.length;
    }
    return all;
  }

  /** Ends what is sent; what comes can still be received. */
  void endSending() {
    Native.call(SHUTDOWN, number, 1);
  }

  private void describe(MemorySegment data, long length, long controlSize) {
    vector.set(JAVA_LONG, 0, data.address());
    vector.set(JAVA_LONG, 8, length);
    header.fill((byte) 0);
    header.set(JAVA_LONG, 16, vector.address());
    header.set(JAVA_LONG, 24, 1);
    header.set(JAVA_LONG, 32, controlSize == 0 ? 0 : control.address());
    header.set(JAVA_LONG, 40, controlSize);
  }
}
