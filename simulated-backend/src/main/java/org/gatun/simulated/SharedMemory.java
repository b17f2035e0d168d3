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
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/**
 * Memory that a model and its driver share. Each mapping of a BAR ends by itself, and without
 * native access a second lifetime for the same memory is only to be had from a file: one that has
 * no name any more, in memory where the system has such a place.
 */
final class SharedMemory implements AutoCloseable {
  private static final Path IN_MEMORY = Path.of("/dev/shm");

  private final FileChannel file;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment segment;

  SharedMemory(long size) {
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
      segment = mapUndisturbed(0, size, arena);
    } catch (IOException e) {
      throw new UncheckedIOException("no memory for a shared BAR range: " + e.getMessage(), e);
    }
  }

  /** The model's view. */
  MemorySegment segment() {
    return segment;
  }

  /** Another view, with a lifetime of its own. */
  MemorySegment map(long offset, long length, Arena lifetime) {
    try {
      return mapUndisturbed(offset, length, lifetime);
    } catch (IOException e) {
      throw new UncheckedIOException("can't map a shared BAR range: " + e.getMessage(), e);
    }
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
    arena.close();
    try {
      file.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
