package org.gatun.vfiouser;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.gatun.nativeaccess.ClosedDescriptorException;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.pci.DeviceName;
import org.jspecify.annotations.Nullable;

/**
 * A server, byte by byte as {@link RawPeer}: of a small device, that keeps what is written to its
 * config space and has one page of registers, each of which reads as 42. What it answers goes
 * through a lie first.
 */
final class RawServer implements AutoCloseable {
  private static final int REGIONS = 9;
  private static final int IRQS = 5;
  private static final int CONFIG = 7;
  static final int BAR_SIZE = 4096;

  private final Path directory;
  private final UnixSocket listener;
  private final Thread thread;
  private final Lie lie;
  private final Consumer<RawPeer.Received> replies;
  private volatile @Nullable RawPeer client;

  /** What is sent instead of the honest answer. */
  interface Lie {
    Answer instead(RawPeer.Received request, Answer honest);
  }

  /**
   * What is sent.
   *
   * @param last whether the server leaves afterwards
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Answer(byte[] bytes, List<Fd> files, boolean last) {
    static final Answer NOTHING = new Answer(new byte[0], List.of(), false);
    static final Answer LEAVE = new Answer(new byte[0], List.of(), true);

    static Answer of(byte[] bytes, Fd... files) {
      return new Answer(bytes, List.of(files), false);
    }
  }

  RawServer(Lie lie) {
    this(lie, _ -> {});
  }

  /**
   * @param replies gets what the client replies to commands that the test sends
   */
  RawServer(Lie lie, Consumer<RawPeer.Received> replies) {
    this.lie = lie;
    this.replies = replies;
    try {
      directory = Files.createTempDirectory("gatun");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    listener = UnixSocket.listen(directory.resolve("lies.sock"), 1);
    thread = Thread.ofPlatform().daemon().name("lying server").start(this::run);
  }

  DeviceName name() {
    return new DeviceName(VfioUserBackend.SCHEME, directory.resolve("lies.sock").toString());
  }

  /** Of the client that is there. */
  RawPeer client() {
    return Objects.requireNonNull(client);
  }

  @Override
  public void close() {
    listener.close();
    RawPeer now = client;
    if (now != null) {
      now.close();
    }
    try {
      thread.join();
      Files.delete(directory.resolve("lies.sock"));
      Files.delete(directory);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void run() {
    try (RawPeer peer = new RawPeer(listener.accept())) {
      client = peer;
      byte[] config = config();
      for (RawPeer.Received request = peer.receive(); request != null; request = peer.receive()) {
        if (request.isReply()) {
          request.closeFiles();
          replies.accept(request);
          continue;
        }
        Answer answer = lie.instead(request, honest(request, config));
        request.closeFiles();
        if (answer.bytes.length > 0
            && (request.flags() & RawPeer.NO_REPLY) == 0
            && !peer.send(answer.bytes, answer.files.toArray(Fd[]::new))) {
          return;
        }
        if (answer.last) {
          return;
        }
      }
    } catch (ClosedDescriptorException e) {
      // The test is over.
    }
  }

  private static byte[] config() {
    byte[] config = new byte[256];
    byte[] ids = Bytes.of().u16(0x1234).u16(0x11e8).get();
    System.arraycopy(ids, 0, config, 0, ids.length);
    config[0x13] = (byte) 0xfe; // where BAR 0 is
    return config;
  }

  static Answer reply(RawPeer.Received request, byte[] payload, Fd... files) {
    return Answer.of(
        RawPeer.message(request.id(), request.command(), RawPeer.REPLY, payload), files);
  }

  static Answer error(RawPeer.Received request, int errno) {
    return Answer.of(
        RawPeer.message(
            request.id(),
            request.command(),
            RawPeer.HEADER,
            RawPeer.REPLY | RawPeer.ERROR,
            errno,
            new byte[0]));
  }

  private static Answer honest(RawPeer.Received request, byte[] config) {
    return switch (request.command()) {
      case RawPeer.VERSION ->
          reply(
              request,
              RawClient.version(0, 1, "{\"capabilities\":{\"max_msg_fds\":8,\"pgsizes\":4096}}"));
      case RawPeer.DEVICE_GET_INFO ->
          reply(request, Bytes.of().u32(16).u32(3).u32(REGIONS).u32(IRQS).get());
      case RawPeer.DEVICE_GET_REGION_INFO -> {
        int index = request.data().getInt(8);
        long size = index == CONFIG ? 256 : index == 0 ? BAR_SIZE : 0;
        yield reply(request, region(3, index, 0, size, 0));
      }
      case RawPeer.DEVICE_GET_IRQ_INFO -> {
        int index = request.data().getInt(8);
        yield reply(request, Bytes.of().u32(16).u32(1).u32(index).u32(index == 0 ? 0 : 1).get());
      }
      case RawPeer.REGION_READ -> {
        int count = request.data().getInt(12);
        int offset = (int) request.data().getLong(0);
        Bytes payload = Bytes.of().raw(request.payload());
        for (int i = 0; i < count; i++) {
          payload.raw(
              new byte[] {
                request.data().getInt(8) == CONFIG ? config[offset + i] : (byte) (i == 0 ? 42 : 0)
              });
        }
        yield reply(request, payload.get());
      }
      case RawPeer.REGION_WRITE -> {
        int count = request.data().getInt(12);
        if (request.data().getInt(8) == CONFIG) {
          System.arraycopy(request.payload(), 16, config, (int) request.data().getLong(0), count);
        }
        yield reply(request, Arrays.copyOf(request.payload(), 16));
      }
      case RawPeer.DMA_UNMAP -> reply(request, request.payload());
      case RawPeer.DEVICE_GET_REGION_IO_FDS -> error(request, 22);
      default -> reply(request, new byte[0]);
    };
  }

  static byte[] region(int flags, int index, int capability, long size, long offset) {
    return Bytes.of().u32(32).u32(flags).u32(index).u32(capability).u64(size).u64(offset).get();
  }
}
