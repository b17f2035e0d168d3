package org.gatun.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger.Level;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.Set;
import java.util.stream.Stream;
import org.gatun.broker.service.process.ProcessJournal;

/**
 * What a guest's run has on the disk: sockets, and the journal of its process. The folders of all
 * runs are in one of the user's own, and each has a file that is locked while its run lives: so the
 * next run finds what one that was killed has left, ends that, and removes it. A process has one at
 * a time; any thread closes it.
 */
final class RunFolder implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(RunFolder.class.getName());
  private static final String NAME = "gatun-guest-run";
  private static final String LOCK = "lock";
  private static final int ROOT = 0;

  private static final Set<PosixFilePermission> OWNERS_ALONE =
      PosixFilePermissions.fromString("rwx------");

  private final Path path;

  /** Its lock is held by this, and so by the kernel until the process ends, however it does. */
  private final FileChannel lock;

  private RunFolder(Path path, FileChannel lock) {
    this.path = path;
    this.lock = lock;
  }

  /** Makes one, and removes those of runs that were killed. */
  static RunFolder open() throws IOException {
    return open(usual());
  }

  /** Of root where only root makes files; of others where the system has a place for them. */
  private static Path usual() throws IOException {
    int user = ownUser();
    Path run = Path.of("/run");
    if (user == ROOT && Files.isWritable(run)) {
      return run.resolve(NAME);
    }
    String ofUser = System.getenv("XDG_RUNTIME_DIR");
    // Who became another user may have the place of the former one there still.
    if (ofUser != null && isOf(user, Path.of(ofUser))) {
      return Path.of(ofUser, NAME);
    }
    return Path.of(System.getProperty("java.io.tmpdir"), NAME + "-" + user);
  }

  /**
   * Makes one.
   *
   * @param all the folder of all runs' folders
   */
  static synchronized RunFolder open(Path all) throws IOException {
    makeOwn(all);
    // One after the other: who has just made a folder has not locked it yet.
    try (FileChannel turn = openLock(all)) {
      turn.lock();
      try (DirectoryStream<Path> runs = Files.newDirectoryStream(all, Files::isDirectory)) {
        runs.forEach(RunFolder::removeIfLeft);
      }
      Path path = Files.createTempDirectory(all, "");
      FileChannel lock = openLock(path);
      lock.lock();
      return new RunFolder(path, lock);
    }
  }

  private static FileChannel openLock(Path folder) throws IOException {
    return FileChannel.open(
        folder.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
  }

  /** In a place where others may make files, too, it could be theirs. */
  private static void makeOwn(Path folder) throws IOException {
    try {
      Files.createDirectory(folder, PosixFilePermissions.asFileAttribute(OWNERS_ALONE));
    } catch (FileAlreadyExistsException _) {
      // Of an earlier run, if it is what it should be.
    }
    PosixFileAttributes found =
        Files.readAttributes(folder, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
    if (!found.isDirectory()
        || !found.permissions().equals(OWNERS_ALONE)
        || !isOf(ownUser(), folder)) {
      throw new IOException(
          folder + ": this is to be a folder that is this user's alone (mode 0700): remove it");
    }
  }

  private static void removeIfLeft(Path folder) {
    try (FileChannel lock = openLock(folder)) {
      if (isFree(lock)) {
        ProcessJournal.open(journal(folder));
        delete(folder);
      }
    } catch (NoSuchFileException e) {
      LOG.log(Level.DEBUG, "its run is removing it", e);
    } catch (IOException | UncheckedIOException e) {
      LOG.log(Level.WARNING, "what a guest's run has left in " + folder + " stays: " + e, e);
    }
  }

  private static boolean isFree(FileChannel lock) throws IOException {
    try {
      return lock.tryLock() != null;
    } catch (OverlappingFileLockException _) {
      return false; // this process has it
    }
  }

  private static int ownUser() throws IOException {
    return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
  }

  private static boolean isOf(int user, Path file) throws IOException {
    return Files.exists(file, LinkOption.NOFOLLOW_LINKS)
        && Files.getAttribute(file, "unix:uid", LinkOption.NOFOLLOW_LINKS).equals(user);
  }

  Path path() {
    return path;
  }

  /** Where the journal of the run's process is. */
  Path journal() {
    return journal(path);
  }

  private static Path journal(Path folder) {
    return folder.resolve("processes");
  }

  /** Whether the run goes on. */
  boolean isOpen() {
    return lock.isOpen();
  }

  /** The run is over: its process has ended. */
  @Override
  public void close() {
    try (lock) {
      delete(path);
    } catch (IOException | UncheckedIOException e) {
      LOG.log(Level.DEBUG, "deleting " + path, e);
    }
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }
}
