package org.gatun.broker.launcher;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

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

  /**
   * Finds one by its text.
   *
   * @throws IllegalArgumentException if there is no such lock
   */
  public static Lock parse(String text) {
    return Arrays.stream(values())
        .filter(lock -> lock.text().equals(text))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "'%s' is no lock; there are %s"
                        .formatted(
                            text,
                            Arrays.stream(values())
                                .map(Lock::text)
                                .collect(Collectors.joining(", ")))));
  }
}
