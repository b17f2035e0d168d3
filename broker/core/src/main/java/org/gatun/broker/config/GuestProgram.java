package org.gatun.broker.config;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * A guest that the broker runs, in a process of its own for each device.
 *
 * @param modulePath its modules and the drivers that they use: jars, or folders of jars
 * @param module that provides the guest ({@link org.gatun.pci.spi.PciGuest})
 * @param arguments that it gets
 * @param root a folder that its process is to see as its root, read-only; empty for this system's
 *     shared libraries and nothing else
 * @param heapBytes the most that its JVM may use for objects
 * @param without locks that are not to be closed
 * @param supervision what is done when it ends, or hangs
 */
public record GuestProgram(
    List<Path> modulePath,
    String module,
    List<String> arguments,
    Optional<Path> root,
    long heapBytes,
    Set<Lock> without,
    Supervision supervision) {
  /** The heap, if nothing is said: 256 MiB. */
  public static final long DEFAULT_HEAP = 256L << 20;

  /** The memory for DMA, if nothing is said, all of which is there from the start: 64 MiB. */
  public static final long DEFAULT_DMA = 64L << 20;

  /**
   * What is done when it ends, or hangs.
   *
   * @param restart whether it is run again when it has ended by itself
   * @param watchdog how long it may be without saying that it is {@linkplain
   *     org.gatun.pci.spi.GuestContext#alive alive}, two seconds at least; empty if only its JVM is
   *     looked at
   */
  public record Supervision(Restart restart, Optional<Duration> watchdog) {
    /** It is not run again, and only its JVM is looked at. */
    public static final Supervision DEFAULT = new Supervision(Restart.NEVER, Optional.empty());
  }

  /** When a guest is run again that has ended, and whose device is not wanted back. */
  public enum Restart {
    NEVER,
    /** If it did not end with status 0. */
    ON_FAILURE,
    ALWAYS;

    /** As a policy file has it. */
    public String text() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /**
     * Finds one by its text.
     *
     * @throws IllegalArgumentException if there is none
     */
    public static Restart parse(String text) {
      return Arrays.stream(values())
          .filter(restart -> restart.text().equals(text))
          .findFirst()
          .orElseThrow(
              () ->
                  new IllegalArgumentException(
                      "'" + text + "' is not one of never, on-failure, always"));
    }
  }

  /** What keeps a guest's process in, besides what always does. */
  public enum Lock {
    /** Mounts, network, System V objects, host name and cgroup root of its own. */
    NAMESPACES,
    /** A user of its own, without capabilities. */
    USER,
    /** Landlock: which files may be read. */
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

  /** Copies the collections. */
  public GuestProgram {
    modulePath = List.copyOf(modulePath);
    arguments = List.copyOf(arguments);
    without = Set.copyOf(without);
  }
}
