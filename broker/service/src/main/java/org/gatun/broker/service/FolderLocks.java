package org.gatun.broker.service;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Folders that one broker has, and no other: the kernel takes the locks from one that is killed.
 */
final class FolderLocks implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(FolderLocks.class.getName());

  private final List<FileChannel> locked = new ArrayList<>();

  private FolderLocks() {}

  /**
   * Takes folders that are there; one may be named twice.
   *
   * @throws IOException if another broker has one
   */
  static FolderLocks take(Path... folders) throws IOException {
    Set<Path> distinct = new LinkedHashSet<>();
    for (Path folder : folders) {
      distinct.add(folder.toRealPath());
    }
    FolderLocks locks = new FolderLocks();
    boolean taken = false;
    try {
      for (Path folder : distinct) {
        locks.take(folder);
      }
      taken = true;
      return locks;
    } finally {
      if (!taken) {
        locks.close();
      }
    }
  }

  private void take(Path folder) throws IOException {
    Path file = folder.resolve("lock");
    FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    locked.add(channel);
    FileLock lock = null;
    try {
      lock = channel.tryLock();
    } catch (OverlappingFileLockException e) {
      LOG.log(Level.DEBUG, "this process has the lock already", e);
    }
    if (lock == null) {
      throw new IOException(file + ": another broker has this folder: give each one of its own");
    }
  }

  @Override
  public void close() {
    for (FileChannel channel : locked.reversed()) {
      try {
        channel.close();
      } catch (IOException e) {
        LOG.log(Level.WARNING, "closing a lock: " + e.getMessage(), e);
      }
    }
  }
}
