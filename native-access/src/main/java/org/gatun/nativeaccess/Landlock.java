package org.gatun.nativeaccess;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Which files the calling thread, and what it executes, may open, in addition to what users and
 * mounts allow ({@code landlock(7)}). One thread.
 */
public final class Landlock {
  private static final int CREATE_RULESET_VERSION = 1;
  private static final int RULE_PATH_BENEATH = 1;
  private static final long EXECUTE = 1;
  private static final long READ_FILE = 1 << 2;
  private static final long READ_DIR = 1 << 3;

  /** All of version 1: executing, writing, reading, listing, removing, making. */
  private static final long VERSION_1 = (1 << 13) - 1;

  private static final long REFER = 1 << 13;
  private static final long TRUNCATE = 1 << 14;
  private static final long IOCTL_DEV = 1 << 15;

  /** {@code struct landlock_path_beneath_attr}, which is packed. */
  private static final long PATH_BENEATH_SIZE = 12;

  private static final int O_PATH = 0x20_0000;

  private record Rule(Path path, long rights) {}

  private final List<Rule> rules = new ArrayList<>();

  /** A ruleset that allows nothing yet. */
  public Landlock() {}

  /** Which version the kernel has; 0 if it has none, or has it switched off. */
  public static int version() {
    try {
      return (int) Syscall.LANDLOCK_CREATE_RULESET.call("version", 0, 0, CREATE_RULESET_VERSION);
    } catch (LinuxException e) {
      if (e.errno() == Errno.ENOSYS || e.errno() == Errno.EOPNOTSUPP) {
        return 0;
      }
      throw e;
    }
  }

  /** Allows to read a file, or all in a folder. */
  public Landlock read(Path path) {
    rules.add(new Rule(path, READ_FILE | READ_DIR));
    return this;
  }

  /** Allows to read and to execute a file. */
  public Landlock execute(Path path) {
    rules.add(new Rule(path, READ_FILE | EXECUTE));
    return this;
  }

  /**
   * Restricts the calling thread to what was allowed.
   *
   * @throws LinuxException with {@link Errno#ENOSYS} or {@link Errno#EOPNOTSUPP} if the kernel has
   *     no Landlock; with {@link Errno#EPERM} before {@link Privileges#noNew}
   * @throws IOException if a path is not there
   */
  public void restrict() throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment handled = arena.allocate(JAVA_LONG);
      handled.set(JAVA_LONG, 0, handled(version()));
      int ruleset =
          (int) Syscall.LANDLOCK_CREATE_RULESET.call("files", handled.address(), Long.BYTES, 0);
      try (Fd owned = new Fd(ruleset, "Landlock ruleset")) {
        for (Rule rule : rules) {
          add(owned, rule, arena.allocate(PATH_BENEATH_SIZE));
        }
        Syscall.LANDLOCK_RESTRICT_SELF.call("files", owned.number(), 0);
      }
    }
  }

  private static void add(Fd ruleset, Rule rule, MemorySegment attribute) throws IOException {
    String path = rule.path.toRealPath().toString();
    int number = Linux.calls().open(path, O_PATH | Abi.O_CLOEXEC);
    try (Fd file = new Fd(Linux.check(number, "open", path), path)) {
      long rights = Files.isDirectory(rule.path) ? rule.rights : rule.rights & ~READ_DIR;
      attribute.set(JAVA_LONG_UNALIGNED, 0, rights);
      attribute.set(JAVA_INT_UNALIGNED, Long.BYTES, file.number());
      Syscall.LANDLOCK_ADD_RULE.call(
          path, ruleset.number(), RULE_PATH_BENEATH, attribute.address(), 0);
    }
  }

  /** What is forbidden unless allowed: all that the version knows. */
  private static long handled(int version) {
    return VERSION_1
        | (version >= 2 ? REFER : 0)
        | (version >= 3 ? TRUNCATE : 0)
        | (version >= 5 ? IOCTL_DEV : 0);
  }
}
