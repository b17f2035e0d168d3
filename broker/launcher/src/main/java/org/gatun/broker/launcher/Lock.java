package org.gatun.broker.launcher;

import java.util.Locale;

/**
 * What keeps a guest's process in, besides what always does: no new privileges, limits, the death
 * of the broker. Each is asked for unless it is left out by name; one that the machine does not
 * have ends the start.
 */
public enum Lock {
  /** Mounts, network, System V objects, host name and cgroup root of its own. */
  NAMESPACES,
  /** A user of its own, without capabilities; other processes can't look into it. */
  USER,
  /** Landlock: which files may be read, and that the JVM alone may be executed. */
  LANDLOCK,
  /** Seccomp: which system calls may be made. */
  SYSCALLS;

  /** As a policy file has it. */
  public String text() {
    return name().toLowerCase(Locale.ROOT);
  }
}
