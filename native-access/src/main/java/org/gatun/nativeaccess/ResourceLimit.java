package org.gatun.nativeaccess;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A limit of this process, as {@code getrlimit(2)} gives it.
 *
 * @param soft what holds now; {@link #UNLIMITED} if nothing does
 * @param hard what the process may raise it to; {@link #UNLIMITED} if to anything
 */
public record ResourceLimit(long soft, long hard) {
  /** No limit: larger than any. */
  public static final long UNLIMITED = Long.MAX_VALUE;

  /**
   * {@code RLIMIT_MEMLOCK}, in bytes: how much memory may be locked, and pinned for devices. A
   * process with {@code CAP_IPC_LOCK} is not held to it.
   */
  public static ResourceLimit lockedMemory() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment limit = arena.allocate(Abi.RLIMIT);
      Linux.check(
          Linux.calls().getrlimit(Abi.RLIMIT_MEMLOCK, limit), "getrlimit", "RLIMIT_MEMLOCK");
      return new ResourceLimit(
          bytes(limit.get(JAVA_LONG, Abi.RLIMIT_CUR)), bytes(limit.get(JAVA_LONG, Abi.RLIMIT_MAX)));
    }
  }

  private static long bytes(long raw) {
    return raw == Abi.RLIM_INFINITY ? UNLIMITED : raw;
  }
}
