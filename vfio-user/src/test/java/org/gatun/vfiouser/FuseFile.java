package org.gatun.vfiouser;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.gatun.nativeaccess.Access;
import org.gatun.nativeaccess.Fd;
import org.jspecify.annotations.Nullable;

/**
 * A file of a file system in user space ({@code linux/fuse.h}, version 7.31) that answers when it
 * is looked up and opened, and nothing from then on: who reads, maps and touches, or closes it,
 * waits. It is served by a process of its own, which ends after some minutes by itself: one that
 * waits for itself could not be killed.
 */
final class FuseFile implements BlocksWhoCloses {
  /** How its descriptors can be told. */
  static final String NAME = "file-of-fuse";

  private static final int LOOKUP = 1;
  private static final int GETATTR = 3;
  private static final int OPEN = 14;
  private static final int RELEASE = 18;
  private static final int FLUSH = 25;
  private static final int INIT = 26;

  /** Those that wait for an answer for as long as this is there. */
  private static final int READ = 15;

  private static final int IN_HEADER = 40;
  private static final int OUT_HEADER = 16;
  private static final int ROOT = 1;
  private static final int FILE = 2;
  private static final int DIRECTORY_MODE = 0040755;
  private static final int FILE_MODE = 0100666;
  private static final int SIZE = 1 << 20;
  private static final int BUFFER = 1 << 16;
  private static final int ENOSYS = 38;
  private static final int MS_NOSUID = 2;
  private static final int MS_NODEV = 4;
  private static final int MNT_FORCE = 1;
  private static final int MNT_DETACH = 2;
  private static final Duration LIFE = Duration.ofMinutes(5);

  private final Path directory;
  private final JavaProcess server;
  private final Fd fd;

  private FuseFile(Path directory, JavaProcess server) {
    this.directory = directory;
    this.server = server;
    this.fd = Fd.open(directory.resolve(NAME), Access.READ_WRITE);
  }

  /** Returns one, or null where there is no FUSE, or it is not for us. */
  static @Nullable FuseFile create() {
    if (!Files.isWritable(Path.of("/dev/fuse"))) {
      return null;
    }
    try {
      Path directory = Files.createTempDirectory("gatun");
      JavaProcess server = new JavaProcess(FuseFile.class, directory.toString());
      if (server.firstLine() == null) {
        server.close();
        Files.delete(directory);
        return null;
      }
      return new FuseFile(directory, server);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public Fd fd() {
    return fd;
  }

  @Override
  public void close() {
    server.close();
    fd.close();
    try {
      Files.delete(directory);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What the process runs: where to mount. */
  public static void main(String[] args) throws IOException {
    try (Arena arena = Arena.ofShared()) {
      Fd device = Fd.open(Path.of("/dev/fuse"), Access.READ_WRITE);
      MemorySegment target = arena.allocateFrom(args[0]);
      int mounted =
          Kernel.call(
              "mount",
              FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_INT, ADDRESS),
              arena.allocateFrom("gatun"),
              target,
              arena.allocateFrom("fuse"),
              MS_NOSUID | MS_NODEV,
              arena.allocateFrom(
                  "fd=%d,rootmode=40000,user_id=0,group_id=0".formatted(Kernel.number(device))));
      if (mounted != 0) {
        return;
      }
      Thread answering =
          Thread.ofPlatform().daemon().start(() -> answer(Kernel.number(device), arena));
      Thread.ofPlatform()
          .daemon()
          .start(
              () -> {
                try {
                  Thread.sleep(LIFE);
                } catch (InterruptedException e) {
                  throw new AssertionError(e);
                }
                Runtime.getRuntime().halt(1);
              });
      System.out.println("mounted");
      while (System.in.read() >= 0) {
        // Until its parent closes it, or has ended.
      }
      Kernel.call(
          "umount2",
          FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT),
          target,
          MNT_FORCE | MNT_DETACH);
      answering.join(); // what is read from the device is an error now
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static void answer(int device, Arena arena) {
    MemorySegment memory = arena.allocate(BUFFER, Long.BYTES);
    FunctionDescriptor transfer = FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
    while (Kernel.call("read", transfer, device, memory, BUFFER) >= IN_HEADER) {
      ByteBuffer request = memory.asByteBuffer().order(ByteOrder.nativeOrder());
      byte[] body = answer(request.getInt(4), request.getLong(16));
      if (body == null) {
        continue;
      }
      boolean known = body.length > 0 || request.getInt(4) == RELEASE;
      long unique = request.getLong(8);
      request
          .putInt(0, OUT_HEADER + body.length)
          .putInt(4, known ? 0 : -ENOSYS)
          .putLong(8, unique)
          .put(OUT_HEADER, body);
      Kernel.call("write", transfer, device, memory, OUT_HEADER + body.length);
    }
  }

  /** Null if it is not to be answered, empty if there is nothing to say. */
  private static byte @Nullable [] answer(int opcode, long node) {
    return switch (opcode) {
      case INIT -> Bytes.of().u32(7).u32(31).u32(4096).u32(0).u32(0).u32(4096).zeros(40).get();
      case LOOKUP -> Bytes.of().u64(FILE).zeros(32).raw(attributes(FILE)).get();
      case GETATTR -> Bytes.of().zeros(16).raw(attributes(node)).get();
      case OPEN -> new byte[16];
      case READ, FLUSH -> null;
      default -> new byte[0];
    };
  }

  private static byte[] attributes(long node) {
    return Bytes.of()
        .u64(node)
        .u64(SIZE)
        .zeros(44)
        .u32(node == ROOT ? DIRECTORY_MODE : FILE_MODE)
        .u32(1)
        .zeros(20)
        .get();
  }
}
