package org.gatun.nativeaccess;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/** What the calling thread, and what it executes, may do: it can only become less. */
public final class Privileges {
  // <linux/prctl.h>
  private static final int PR_CAPBSET_READ = 23;
  private static final int PR_CAPBSET_DROP = 24;
  private static final int PR_SET_NO_NEW_PRIVS = 38;
  private static final int PR_CAP_AMBIENT = 47;
  private static final int PR_CAP_AMBIENT_CLEAR_ALL = 4;

  /** {@code _LINUX_CAPABILITY_VERSION_3}. */
  private static final int CAPABILITY_VERSION = 0x2008_0522;

  private static final int CAPABILITIES_LIMIT = 64;

  // <linux/capability.h>: CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_SYS_ADMIN
  private static final long CONFINING = 1L << 6 | 1L << 7 | 1L << 8 | 1L << 21;

  private static final String EFFECTIVE = "CapEff:\t";

  private Privileges() {}

  /**
   * Whether this process has the capabilities for {@link #become}, {@link Namespaces} and {@link
   * RootFolder}, as root has outside of a container.
   */
  public static boolean canConfine() throws IOException {
    String effective =
        Files.readAllLines(Path.of("/proc/self/status")).stream()
            .filter(line -> line.startsWith(EFFECTIVE))
            .findFirst()
            .orElseThrow(() -> new IOException("/proc/self/status says nothing of capabilities"));
    long held = Long.parseUnsignedLong(effective, EFFECTIVE.length(), effective.length(), 16);
    return (held & CONFINING) == CONFINING;
  }

  /** Executing a program gives no privileges any more, whatever its file says. */
  public static void noNew() {
    Syscall.PRCTL.call("PR_SET_NO_NEW_PRIVS", PR_SET_NO_NEW_PRIVS, 1);
  }

  /**
   * Becomes another user, alone in its group, without a capability and without a way to one.
   *
   * @param user uid and gid
   * @throws LinuxException with {@link Errno#EPERM} without {@code CAP_SETUID}, {@code CAP_SETGID}
   *     and {@code CAP_SETPCAP}
   */
  public static void become(int user) {
    String target = "user " + user;
    for (int i = 0; i < CAPABILITIES_LIMIT; i++) {
      if (isBounding(i)) {
        Syscall.PRCTL.call("PR_CAPBSET_DROP", PR_CAPBSET_DROP, i);
      }
    }
    Syscall.PRCTL.call("PR_CAP_AMBIENT", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);
    Syscall.SETGROUPS.call(target, 0, 0);
    Syscall.SETRESGID.call(target, user, user, user);
    Syscall.SETRESUID.call(target, user, user, user);
    dropCapabilities();
  }

  /** Gives up all capabilities. */
  public static void dropCapabilities() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment header = arena.allocate(JAVA_INT, 2); // version, and 0 for this thread
      header.setAtIndex(JAVA_INT, 0, CAPABILITY_VERSION);
      MemorySegment none = arena.allocate(JAVA_INT, 6); // effective, permitted, inheritable, twice
      Syscall.CAPSET.call("no capabilities", header.address(), none.address());
    }
  }

  /** Whether a capability is in the bounding set; not one that the kernel does not know. */
  private static boolean isBounding(int capability) {
    try {
      return Syscall.PRCTL.call("PR_CAPBSET_READ", PR_CAPBSET_READ, capability) == 1;
    } catch (LinuxException e) {
      if (e.errno() == Errno.EINVAL) {
        return false;
      }
      throw e;
    }
  }
}
