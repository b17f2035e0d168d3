package org.gatun.broker.config;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
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
 * @param limits what its process may use, as far as that was said
 */
public record GuestProgram(
    List<Path> modulePath,
    String module,
    List<String> arguments,
    Optional<Path> root,
    long heapBytes,
    Set<Lock> without,
    Supervision supervision,
    Limits limits) {
  /** The heap, if nothing is said: 256 MiB. */
  public static final long DEFAULT_HEAP = 256L << 20;

  /** The memory for DMA, if nothing is said, all of which is there from the start: 64 MiB. */
  public static final long DEFAULT_DMA = 64L << 20;

  /**
   * What is done when it ends, or hangs.
   *
   * @param restart whether it is run again when it has ended by itself
   * @param watchdog how long it may be without saying that it is {@linkplain
   *     org.gatun.pci.spi.GuestContext#alive alive}, from 2 to 9999 seconds; empty if only its JVM
   *     is looked at
   */
  public record Supervision(Restart restart, Optional<Duration> watchdog) {
    /** It is not run again, and only its JVM is looked at. */
    public static final Supervision DEFAULT = new Supervision(Restart.NEVER, Optional.empty());

    /** Some of its signs of life, which come each half second at most. */
    private static final Duration SHORTEST = Duration.ofSeconds(2);

    private static final Duration LONGEST = Duration.ofSeconds(9999);

    /**
     * @throws IllegalArgumentException if the watchdog's time is none that is possible
     */
    public Supervision {
      if (watchdog.isPresent()
          && (watchdog.get().compareTo(SHORTEST) < 0 || watchdog.get().compareTo(LONGEST) > 0)) {
        throw new IllegalArgumentException(
            "a watchdog of %s: from 2 s to 9999 s is possible".formatted(watchdog.get()));
      }
    }
  }

  /** The threads of its process, if nothing is said, where they can be counted: 256. */
  public static final int DEFAULT_THREADS = 256;

  /**
   * What a JVM needs besides its heap and the stacks of its threads: for compiled code, classes,
   * the collector and memory outside of the heap.
   */
  private static final long JVM = 128L << 20;

  /** Of a thread, by default (HotSpot, x86-64 and AArch64: 1 MiB, or 2). */
  private static final long STACK = 1L << 20;

  /**
   * What a guest's process may use at most, where it was asked for: that is held, or the guest does
   * not start. Of memory there is a limit in any case; of threads, if the process has a {@linkplain
   * Lock#USER user of its own} or a control group with the {@code pids} controller.
   *
   * @param cpu how many processors' time, such as 0.5; from 0.01 to 1024
   * @param memory in bytes, the heap's and all else, without that for DMA; more than the heap
   * @param threads the JVM's own, some twenty, too; from 32 to 32768
   */
  public record Limits(OptionalDouble cpu, OptionalLong memory, OptionalInt threads) {
    /** Nothing was asked for. */
    public static final Limits NONE =
        new Limits(OptionalDouble.empty(), OptionalLong.empty(), OptionalInt.empty());

    /** What the kernel still measures. */
    private static final double LEAST_CPU = 0.01;

    private static final double MOST_CPU = 1024;

    /** With fewer no JVM starts. */
    private static final int LEAST_THREADS = 32;

    private static final int MOST_THREADS = 1 << 15;

    /**
     * @throws IllegalArgumentException if the share of processors or the number of threads is none
     *     that can be held
     */
    public Limits {
      if (cpu.isPresent() && !(cpu.getAsDouble() >= LEAST_CPU && cpu.getAsDouble() <= MOST_CPU)) {
        throw new IllegalArgumentException(
            "%s processors: from 0.01 to 1024 is possible".formatted(cpu.getAsDouble()));
      }
      if (threads.isPresent()
          && (threads.getAsInt() < LEAST_THREADS || threads.getAsInt() > MOST_THREADS)) {
        throw new IllegalArgumentException(
            "%d threads: from 32 to 32768 is possible, as a JVM has some twenty itself"
                .formatted(threads.getAsInt()));
      }
    }
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

  /** How many threads its process may have. */
  public int threads() {
    return limits.threads.orElse(DEFAULT_THREADS);
  }

  /**
   * How much memory its process may have, in bytes: as was said, or the heap, and what a JVM needs
   * besides.
   */
  public long memoryBytes() {
    return limits.memory.orElseGet(() -> saturatedSum(heapBytes, JVM + threads() * STACK));
  }

  private static long saturatedSum(long one, long other) {
    return one > Long.MAX_VALUE - other ? Long.MAX_VALUE : one + other;
  }

  /**
   * Copies the collections.
   *
   * @throws IllegalArgumentException if the limit of memory leaves nothing besides the heap
   */
  public GuestProgram {
    if (limits.memory.isPresent() && limits.memory.getAsLong() <= heapBytes) {
      throw new IllegalArgumentException(
          "%d bytes of memory: a heap of %d and the JVM do not fit"
              .formatted(limits.memory.getAsLong(), heapBytes));
    }
    modulePath = List.copyOf(modulePath);
    arguments = List.copyOf(arguments);
    without = Set.copyOf(without);
  }
}
