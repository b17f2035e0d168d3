package org.gatun.nativeaccess;

/** What of the system a thread, and what it executes, has for itself. */
public final class Namespaces {
  private static final int CLONE_NEWNS = 0x0002_0000;
  private static final int CLONE_NEWCGROUP = 0x0200_0000;
  private static final int CLONE_NEWUTS = 0x0400_0000;
  private static final int CLONE_NEWIPC = 0x0800_0000;
  private static final int CLONE_NEWNET = 0x4000_0000;

  private Namespaces() {}

  /**
   * Gives the calling thread mounts, a network, System V objects and POSIX queues, a host name and
   * a cgroup root of its own: the mounts are a copy, the network has nothing.
   *
   * @throws LinuxException with {@link Errno#EPERM} without {@code CAP_SYS_ADMIN}
   */
  public static void unshare() {
    Syscall.UNSHARE.call(
        "namespaces", CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP);
  }
}
