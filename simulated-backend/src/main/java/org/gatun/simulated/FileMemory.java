package org.gatun.simulated;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.gatun.pci.spi.SharedMemory;

/**
 * Memory that can be mapped several times, without native access: a file that has no name any more,
 * in memory where the system has such a place. It can't be passed on: who has the file could cut it
 * short, which ends processes that use it.
 */
final class FileMemory implements SharedMemory {
  private static final Path IN_MEMORY = Path.of("/dev/shm");

  private final FileChannel file;

  FileMemory(long size) {
    try {
      Path path =
          Files.isWritable(IN_MEMORY)
              ? Files.createTempFile(IN_MEMORY, "gatun", ".bar")
              : Files.createTempFile("gatun", ".bar");
      try {
        file = FileChannel.open(path, Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE));
      } finally {
        Files.delete(path);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("no memory for a shared BAR range: " + e.getMessage(), e);
    }
  }

  @Override
  public MemorySegment map(long offset, long length, Arena lifetime) {
    try {
      return mapUndisturbed(offset, length, lifetime);
    } catch (IOException e) {
      throw new UncheckedIOException("can't map a shared BAR range: " + e.getMessage(), e);
    }
  }

  @Override
  public <T> Optional<T> unwrap(Class<T> exactType) {
    return Optional.empty();
  }

  /**
   * On a thread of its own, which nobody interrupts: an interrupt of the caller's would close the
   * file, for all who map it later.
   */
  private MemorySegment mapUndisturbed(long offset, long length, Arena lifetime)
      throws IOException {
    FutureTask<MemorySegment> mapping =
        new FutureTask<>(() -> file.map(MapMode.READ_WRITE, offset, length, lifetime));
    Thread.ofPlatform().daemon().name("gatun maps shared memory").start(mapping);
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return mapping.get();
        } catch (InterruptedException _) {
          interrupted = true;
        }
      }
    } catch (ExecutionException e) {
      throw new IOException(e.getCause());
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  @Override
  public void close() {
    try {
      file.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
