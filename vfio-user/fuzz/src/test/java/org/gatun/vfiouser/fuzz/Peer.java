package org.gatun.vfiouser.fuzz;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.gatun.nativeaccess.ClosedDescriptorException;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.UnixSocket;
import org.jspecify.annotations.Nullable;

/** The fuzzer's end of a socket. */
record Peer(UnixSocket socket) {
  private static final int MOST = 4 << 20;

  /** Returns false if the other end is gone. */
  boolean send(byte[] bytes, List<Fd> files) {
    try (Arena arena = Arena.ofConfined()) {
      socket.send(arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes), 0, bytes.length, files);
      return true;
    } catch (LinuxException | ClosedDescriptorException e) {
      return false;
    }
  }

  /** A whole message, its descriptors closed; null if the other end is gone. */
  @Nullable ByteBuffer receive() {
    List<Fd> files = new ArrayList<>();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment header = arena.allocate(Words.HEADER);
      if (!receive(header, files)) {
        return null;
      }
      int size = header.get(ValueLayout.JAVA_INT, 4);
      if (size < Words.HEADER || size > MOST) {
        throw new AssertionError("a message of " + size + " bytes");
      }
      MemorySegment whole = arena.allocate(size);
      whole.copyFrom(header);
      if (size > Words.HEADER && !receive(whole.asSlice(Words.HEADER), files)) {
        return null;
      }
      return ByteBuffer.wrap(whole.toArray(ValueLayout.JAVA_BYTE)).order(ByteOrder.LITTLE_ENDIAN);
    } catch (LinuxException | ClosedDescriptorException e) {
      return null;
    } finally {
      files.forEach(Fd::close);
    }
  }

  private boolean receive(MemorySegment target, List<Fd> files) {
    long got = 0;
    while (got < target.byteSize()) {
      long part = socket.receive(target, got, target.byteSize() - got, 64, files);
      if (part <= 0) {
        return false;
      }
      got += part;
    }
    return true;
  }
}
