package org.gatun.vfiouser;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.UnixSocket;
import org.jspecify.annotations.Nullable;

/**
 * Either end of a connection, byte by byte, written from the vfio-user specification alone (QEMU's
 * docs/interop/vfio-user.rst) and not from what is tested: it has no opinion on what it sends.
 */
class RawPeer implements AutoCloseable {
  static final int VERSION = 1;
  static final int DMA_MAP = 2;
  static final int DMA_UNMAP = 3;
  static final int DEVICE_GET_INFO = 4;
  static final int DEVICE_GET_REGION_INFO = 5;
  static final int DEVICE_GET_REGION_IO_FDS = 6;
  static final int DEVICE_GET_IRQ_INFO = 7;
  static final int DEVICE_SET_IRQS = 8;
  static final int REGION_READ = 9;
  static final int REGION_WRITE = 10;
  static final int DMA_READ = 11;
  static final int DMA_WRITE = 12;
  static final int DEVICE_RESET = 13;
  static final int REGION_WRITE_MULTI = 15;
  static final int DEVICE_FEATURE = 16;
  static final int MIG_DATA_READ = 17;
  static final int MIG_DATA_WRITE = 18;

  static final int HEADER = 16;
  static final int COMMAND = 0;
  static final int REPLY = 1;
  static final int NO_REPLY = 1 << 4;
  static final int ERROR = 1 << 5;

  static final int EPERM = 1;
  static final int ENOENT = 2;
  static final int EIO = 5;
  static final int ENOMEM = 12;
  static final int EEXIST = 17;
  static final int EINVAL = 22;
  static final int ENOSPC = 28;
  static final int EOPNOTSUPP = 95;

  /** How long a half message is held, and a server is to wait for its end. */
  static final Duration HELD = Duration.ofMillis(Long.getLong("gatun.patience", 300));

  /** Far more than anything takes here; never waited for unless something is wrong. */
  private static final Duration PATIENCE = HELD.plusSeconds(30);

  private static final int MOST = 4 << 20;
  private static final int MOST_DESCRIPTORS = 64;

  private final UnixSocket socket;

  RawPeer(UnixSocket socket) {
    this.socket = socket;
    socket.timeouts(PATIENCE, PATIENCE);
  }

  /** What came. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Received(int id, int command, int flags, int error, byte[] payload, List<Fd> files) {
    boolean isError() {
      return (flags & ERROR) != 0;
    }

    boolean isReply() {
      return (flags & 0xf) == REPLY;
    }

    ByteBuffer data() {
      return ByteBuffer.wrap(payload).order(ByteOrder.LITTLE_ENDIAN);
    }

    void closeFiles() {
      files.forEach(Fd::close);
    }
  }

  static byte[] message(int id, int command, int flags, byte[] payload) {
    return message(id, command, HEADER + payload.length, flags, 0, payload);
  }

  /** With a size that need not be so. */
  static byte[] message(int id, int command, int size, int flags, int error, byte[] payload) {
    return Bytes.of().u16(id).u16(command).u32(size).u32(flags).u32(error).raw(payload).get();
  }

  UnixSocket socket() {
    return socket;
  }

  /**
   * Sends bytes as they are.
   *
   * @return false if the other end has closed the connection
   */
  boolean send(byte[] bytes, Fd... files) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment segment = arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
      socket.send(segment, 0, bytes.length, List.of(files));
      return true;
    } catch (LinuxException e) {
      if (isHangUp(e)) {
        return false;
      }
      throw e;
    }
  }

  /** The next message; null if the other end has closed the connection. */
  @Nullable Received receive() {
    List<Fd> files = new ArrayList<>();
    byte[] header = receive(HEADER, files);
    if (header == null) {
      files.forEach(Fd::close);
      return null;
    }
    ByteBuffer fields = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN);
    int size = fields.getInt(4);
    if (size < HEADER || size > MOST) {
      throw new AssertionError("it sent a message of " + size + " bytes");
    }
    byte[] payload = receive(size - HEADER, files);
    if (payload == null) {
      files.forEach(Fd::close);
      return null;
    }
    return new Received(
        Short.toUnsignedInt(fields.getShort(0)),
        Short.toUnsignedInt(fields.getShort(2)),
        fields.getInt(8),
        fields.getInt(12),
        payload,
        files);
  }

  /** Whether the other end closes the connection, having sent whatever before. */
  boolean isDropped() {
    while (true) {
      Received received = receive();
      if (received == null) {
        return true;
      }
      received.closeFiles();
    }
  }

  @Override
  public void close() {
    socket.close();
  }

  private byte @Nullable [] receive(int length, List<Fd> files) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment buffer = arena.allocate(Math.max(1, length));
      int got = 0;
      while (got < length) {
        long part = socket.receive(buffer, got, length - got, MOST_DESCRIPTORS, files);
        if (part < 0) {
          throw new AssertionError("nothing came within " + PATIENCE);
        }
        if (part == 0) {
          return null;
        }
        got += (int) part;
      }
      return buffer.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE);
    } catch (LinuxException e) {
      if (isHangUp(e)) {
        return null;
      }
      throw e;
    }
  }

  private static boolean isHangUp(LinuxException e) {
    return switch (e.errno()) {
      case EPIPE, ECONNRESET -> true;
      default -> false;
    };
  }
}
