package org.gatun.broker.service.file;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Optional;

/**
 * A file that is the old one or the new one, whenever the broker or the machine ends. One thread at
 * a time writes it.
 */
public record DurableFile(Path path) {
  /** Writes it, and returns when it is on the disk. */
  public void write(byte[] content) throws IOException {
    Path next = path.resolveSibling(path.getFileName() + ".new");
    Files.write(next, content);
    force(next);
    Files.move(next, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    // Its name is the folder's.
    force(Optional.ofNullable(path.toAbsolutePath().getParent()).orElseThrow());
  }

  private static void force(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }
}
