package org.gatun.nativeaccess;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;

/** This process's end, its secrets, its limits, and what it becomes. */
public final class ProcessControl {
  private static final int PR_SET_PDEATHSIG = 1;
  private static final int PR_SET_DUMPABLE = 4;
  private static final int SIGKILL = 9;
  private static final int CLOCK_THREAD_CPUTIME_ID = 3;
  private static final long NANOS = 1_000_000_000;
  private static final int CLOSE_RANGE_CLOEXEC = 4;

  /** The number of the descriptor that {@link #execute} passes on. */
  public static final int INHERITED = 3;

  /** A limit of {@code setrlimit(2)}. */
  public enum Limit {
    /** The size of files that it writes, in bytes. */
    FSIZE(1),
    /** Memory of its own that it may write to, in bytes: not what it shares, or only reserves. */
    DATA(2),
    /** The size of core dumps, in bytes. */
    CORE(4),
    /** Processes and threads of its user. */
    NPROC(6),
    /** Descriptors. */
    NOFILE(7),
    /** Locked memory, in bytes. */
    MEMLOCK(8),
    /** Bytes in POSIX message queues. */
    MSGQUEUE(12);

    private final int number;

    Limit(int number) {
      this.number = number;
    }
  }

  private ProcessControl() {}

  /**
   * From now on the process is killed when the thread that started it ends. To be called after the
   * last change of user, which cancels it.
   *
   * @param parent the process that has to be there still
   * @throws IllegalStateException if it is not the parent any more
   */
  public static void dieWithParent(long parent) {
    Syscall.PRCTL.call("PR_SET_PDEATHSIG", PR_SET_PDEATHSIG, SIGKILL);
    long now = Syscall.GETPPID.call("parent");
    if (now != parent) {
      throw new IllegalStateException("the parent %d has ended: it is %d".formatted(parent, now));
    }
  }

  /** Leaves the terminal, if there is one: its signals, like that of Ctrl-C, are for others. */
  public static void leaveTerminal() {
    Syscall.SETSID.call("session");
  }

  /** No process of the same user can look into this one, or attach to it. */
  public static void undumpable() {
    Syscall.PRCTL.call("PR_SET_DUMPABLE", PR_SET_DUMPABLE, 0);
  }

  /** How long the calling thread has been on a processor, in nanoseconds. */
  public static long threadProcessorTime() {
    MemorySegment time = Scratch.ofThread().timespec;
    Syscall.CLOCK_GETTIME.call("this thread", CLOCK_THREAD_CPUTIME_ID, time.address());
    return time.get(JAVA_LONG, Abi.TIMESPEC_SEC) * NANOS + time.get(JAVA_LONG, Abi.TIMESPEC_NSEC);
  }

  /** Limits this process, for good. */
  public static void limit(Limit limit, long value) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment both = arena.allocate(Abi.RLIMIT);
      both.set(JAVA_LONG, Abi.RLIMIT_CUR, value);
      both.set(JAVA_LONG, Abi.RLIMIT_MAX, value);
      Syscall.PRLIMIT64.call("RLIMIT_" + limit, 0, limit.number, both.address(), 0);
    }
  }

  /**
   * Becomes another program, whose only thread has what the calling one has of users, namespaces
   * and locks. Does not return.
   *
   * @param arguments without the program itself
   * @param kept the descriptor that it gets, as {@link #INHERITED}, besides 0, 1 and 2
   * @throws LinuxException if it can't be executed
   */
  public static void execute(Path program, List<String> arguments, Fd kept) {
    try (HeldFds held = HeldFds.of(kept);
        Arena arena = Arena.ofConfined()) {
      MemorySegment path = arena.allocateFrom(program.toString());
      MemorySegment argv = arena.allocate(JAVA_LONG, arguments.size() + 2L);
      argv.setAtIndex(JAVA_LONG, 0, path.address());
      for (int i = 0; i < arguments.size(); i++) {
        argv.setAtIndex(JAVA_LONG, i + 1, arena.allocateFrom(arguments.get(i)).address());
      }
      MemorySegment emptyEnvironment = arena.allocate(JAVA_LONG);
      Syscall.CLOSE_RANGE.call("all", INHERITED, -1L >>> Integer.SIZE, CLOSE_RANGE_CLOEXEC);
      if (held.number(0) == INHERITED) {
        Linux.check(Linux.calls().fcntl(INHERITED, Abi.F_SETFD, 0), "fcntl F_SETFD", kept);
      } else {
        // Whatever has the number: this JVM needs nothing any more.
        Syscall.DUP3.call(kept.toString(), held.number(0), INHERITED, 0);
      }
      Syscall.EXECVE.call(
          program.toString(), path.address(), argv.address(), emptyEnvironment.address());
    }
  }
}
