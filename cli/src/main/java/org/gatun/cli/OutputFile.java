package org.gatun.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/**
 * Where a command puts data: a file, which is replaced only when all of it is there; or standard
 * output, or what is not a regular file (a pipe, {@code /dev/null}), which are written at once. One
 * thread.
 */
final class OutputFile implements AutoCloseable {
  private final FileChannel channel;

  /** What is to be replaced, and the draft beside it; null where it is written at once. */
  private final @Nullable Path target;

  private final @Nullable Path draft;

  /**
   * @param name a path, or - for standard output
   */
  OutputFile(String name) throws IOException {
    Path path = Path.of(name);
    if (name.equals("-")) {
      // Not System.out, which keeps its errors to itself.
      channel = new FileOutputStream(FileDescriptor.out).getChannel();
      target = null;
      draft = null;
    } else if (Files.exists(path) && !Files.isRegularFile(path)) {
      channel = FileChannel.open(path, StandardOpenOption.WRITE);
      target = null;
      draft = null;
    } else {
      target = path.toAbsolutePath();
      draft = target.resolveSibling("." + target.getFileName() + ".part");
      channel =
          FileChannel.open(
              draft,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.READ,
              StandardOpenOption.WRITE);
    }
  }

  void write(ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  /** The file itself, to be written in any order and read again; not of a pipe. */
  FileChannel channel() {
    return channel;
  }

  /** All of it is there. */
  void complete() throws IOException {
    if (target != null && draft != null) {
      // Else a file system may keep the new name before the data, and a power cut leaves neither
      // the old file nor the whole new one.
      channel.force(true);
      Files.move(draft, target, StandardCopyOption.ATOMIC_MOVE);
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
    if (draft != null) {
      Files.deleteIfExists(draft);
    }
  }
}
