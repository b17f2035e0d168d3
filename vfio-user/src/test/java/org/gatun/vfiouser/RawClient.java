package org.gatun.vfiouser;

import java.nio.file.Path;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.UnixSocket;

/** A client that sends what it is told to. */
final class RawClient extends RawPeer {
  static final int CONFIG_REGION = 7;

  static final int READABLE = 1;
  static final int WRITABLE = 2;

  static final int DATA_NONE = 1;
  static final int DATA_BOOL = 1 << 1;
  static final int DATA_EVENTFD = 1 << 2;
  static final int ACTION_MASK = 1 << 3;
  static final int ACTION_UNMASK = 1 << 4;
  static final int ACTION_TRIGGER = 1 << 5;

  static final int INTX = 0;
  static final int MSI = 1;
  static final int MSIX = 2;

  private int nextId = 0x100;

  RawClient(UnixSocket socket) {
    super(socket);
  }

  /** Connects, and says nothing. */
  static RawClient connect(Path path) {
    return new RawClient(UnixSocket.connect(path));
  }

  /** Connects, and agrees on the version. */
  static RawClient greeted(Path path) {
    return greeted(UnixSocket.connect(path));
  }

  /** Agrees on the version. */
  static RawClient greeted(UnixSocket socket) {
    RawClient client = new RawClient(socket);
    boolean done = false;
    try {
      Received reply =
          client.call(VERSION, version(0, 1, "{\"capabilities\":{\"max_msg_fds\":8}}"), new Fd[0]);
      if (reply.isError()) {
        throw new AssertionError("VERSION: error " + reply.error());
      }
      done = true;
      return client;
    } finally {
      if (!done) {
        client.close();
      }
    }
  }

  /** Sends a command, and waits for its reply. */
  Received call(int command, byte[] payload, Fd... files) {
    int id = nextId++ & 0xffff;
    if (!send(message(id, command, COMMAND, payload), files)) {
      throw new AssertionError("it closed the connection before command " + command);
    }
    return reply(id, command);
  }

  /** Waits for the reply to what was sent. */
  Received reply(int id, int command) {
    Received reply = receive();
    if (reply == null) {
      throw new AssertionError("it closed the connection upon command " + command);
    }
    if (!reply.isReply() || reply.id() != id || reply.command() != command) {
      throw new AssertionError("no reply to %d, id %d: %s".formatted(command, id, reply));
    }
    if (reply.isError() && reply.payload().length != 0) {
      throw new AssertionError("an error with a payload: " + reply);
    }
    return reply;
  }

  /** Sends a command; returns the errno of the reply, 0 if it is none. */
  int errno(int command, byte[] payload, Fd... files) {
    Received reply = call(command, payload, files);
    reply.closeFiles();
    return reply.isError() ? reply.error() : 0;
  }

  /** Reads 1 to 8 bytes. */
  long read(int region, long offset, int count) {
    Received reply = call(REGION_READ, access(region, offset, count, new byte[0]));
    if (reply.isError() || reply.payload().length != 16 + count) {
      throw new AssertionError("read of %d at %d: %s".formatted(region, offset, reply));
    }
    long value = 0;
    for (int i = count - 1; i >= 0; i--) {
      value = value << 8 | Byte.toUnsignedLong(reply.payload()[16 + i]);
    }
    return value;
  }

  /** Writes 4 bytes, and returns the errno. */
  int write32(int region, long offset, int value) {
    return errno(REGION_WRITE, access(region, offset, 4, Bytes.of().u32(value).get()));
  }

  static byte[] version(int major, int minor, String json) {
    return Bytes.of().u16(major).u16(minor).text(json).zeros(1).get();
  }

  static byte[] access(int region, long offset, int count, byte[] data) {
    return Bytes.of().u64(offset).u32(region).u32(count).raw(data).get();
  }

  static byte[] map(int flags, long offset, long address, long size) {
    return Bytes.of().u32(32).u32(flags).u64(offset).u64(address).u64(size).get();
  }

  static byte[] unmap(int flags, long address, long size) {
    return Bytes.of().u32(24).u32(flags).u64(address).u64(size).get();
  }

  static byte[] irqs(int flags, int index, int start, int count) {
    return Bytes.of().u32(20).u32(flags).u32(index).u32(start).u32(count).get();
  }

  static byte[] regionInfo(int index, int argsz) {
    return Bytes.of().u32(argsz).u32(0).u32(index).zeros(20).get();
  }

  /** Of 16 bytes: GET_INFO's, GET_IRQ_INFO's and GET_REGION_IO_FDS's requests. */
  static byte[] info(int index) {
    return Bytes.of().u32(16).u32(0).u32(index).u32(0).get();
  }
}
