package org.gatun.nativeaccess;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A root folder for the calling thread, and what it executes, made of what it is to see, all of it
 * read-only. The thread has mounts of its own, from {@link Namespaces#unshare}: what is mounted
 * here nobody else sees, and it ends with them. One thread.
 */
public final class RootFolder {
  private static final int MS_RDONLY = 1;
  private static final int MS_NOSUID = 2;
  private static final int MS_NODEV = 4;
  private static final int MS_NOEXEC = 8;
  private static final int MS_REMOUNT = 32;
  private static final int MS_BIND = 4096;
  private static final int MS_REC = 16384;
  private static final int MS_PRIVATE = 1 << 18;
  private static final int MNT_DETACH = 2;

  /** For all to look into, and for its owner alone to change. */
  private static final int UMASK = 022;

  /** For folders and links only: a page each at most. */
  private static final String SIZE = "mode=755,size=1m";

  private final Path at;

  private RootFolder(Path at) {
    this.at = at;
  }

  /**
   * Begins with an empty one. The thread's umask is the usual one from now on, whatever it was:
   * another user is to find what is made here, and what the thread executes.
   *
   * @param at an empty folder
   */
  public static RootFolder make(Path at) {
    // Since the thread has mounts of its own, it shares this with no other (unshare(2)).
    Syscall.UMASK.call("0022", UMASK);
    // Or else what is mounted here is mounted for all.
    mount("none", Path.of("/"), null, MS_REC | MS_PRIVATE, null);
    mount("tmpfs", at, "tmpfs", MS_NOSUID | MS_NODEV, SIZE);
    return new RootFolder(at);
  }

  /**
   * Shows a file, or a folder without what is mounted further in.
   *
   * @param target where, in the new root
   */
  public void bind(Path source, Path target) throws IOException {
    bind(source, target, MS_NODEV | MS_RDONLY);
  }

  /** As {@link #bind}, of a folder that can be written to. */
  public void bindWritable(Path source, Path target) throws IOException {
    bind(source, target, MS_NODEV);
  }

  /** Shows a device, such as {@code /dev/null}. */
  public void bindDevice(Path device) throws IOException {
    bind(device, device, MS_NOEXEC | MS_RDONLY);
  }

  /**
   * Makes a symbolic link.
   *
   * @param name where, in the new root
   * @param text what it says
   */
  public void link(Path name, String text) throws IOException {
    Path place = place(name);
    Files.createDirectories(parent(place));
    Files.createSymbolicLink(place, Path.of(text));
  }

  /** Shows processes: to each user only his own. */
  public void proc() throws IOException {
    Path place = Files.createDirectories(place(Path.of("/proc")));
    mount("proc", place, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=2");
  }

  /** Makes it the root of the calling thread, which sees nothing else any more. */
  public void enter() {
    mount(null, at, null, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, null);
    try (Arena arena = Arena.ofConfined()) {
      long here = arena.allocateFrom(".").address();
      Syscall.CHDIR.call(at.toString(), arena.allocateFrom(at.toString()).address());
      // pivot_root(2): with both the same, the old root lies over the new one, to be taken off.
      Syscall.PIVOT_ROOT.call(at.toString(), here, here);
      Syscall.UMOUNT2.call("the old root", here, MNT_DETACH);
      Syscall.CHDIR.call("/", arena.allocateFrom("/").address());
    }
  }

  private void bind(Path source, Path target, int flags) throws IOException {
    Path place = place(target);
    if (Files.isDirectory(source)) {
      Files.createDirectories(place);
    } else {
      Files.createDirectories(parent(place));
      Files.createFile(place);
    }
    mount(source.toString(), place, null, MS_BIND, null);
    mount(null, place, null, MS_REMOUNT | MS_BIND | MS_NOSUID | flags, null);
  }

  private Path place(Path target) {
    if (!target.isAbsolute() || !target.equals(target.normalize())) {
      throw new IllegalArgumentException(target + ": not from the root, or with dots");
    }
    return at.resolve(Path.of("/").relativize(target));
  }

  private static Path parent(Path place) {
    Path parent = place.getParent();
    if (parent == null) {
      throw new IllegalArgumentException(place + " is the root");
    }
    return parent;
  }

  private static void mount(
      @Nullable String source,
      Path target,
      @Nullable String type,
      long flags,
      @Nullable String data) {
    try (Arena arena = Arena.ofConfined()) {
      Syscall.MOUNT.call(
          "%s on %s".formatted(source == null ? "flags" : source, target),
          address(arena, source),
          address(arena, target.toString()),
          address(arena, type),
          flags,
          address(arena, data));
    }
  }

  private static long address(Arena arena, @Nullable String text) {
    return text == null ? MemorySegment.NULL.address() : arena.allocateFrom(text).address();
  }
}
