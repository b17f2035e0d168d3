package org.gatun.nativeaccess;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * Which system calls this process may make from now on, for good and on all threads: what a JVM
 * needs to run code, on the descriptors and the memory that it has. It can read files and open none
 * to write, start threads and no process, and makes no socket. What is left out fails with {@link
 * Errno#EPERM}; what nobody calls by mistake ends the process ({@code SIGSYS}).
 *
 * <p>The filter is a program of classic BPF ({@code seccomp(2)}, {@code <linux/filter.h>}): it
 * loads parts of a {@code struct seccomp_data} and compares them.
 */
public final class SyscallFilter {
  /** What is allowed whatever its arguments are. */
  private static final Set<Syscall> ALLOWED =
      EnumSet.of(
          // Descriptors that are there, and files to be looked at.
          Syscall.READ,
          Syscall.WRITE,
          Syscall.READV,
          Syscall.WRITEV,
          Syscall.PREAD64,
          Syscall.PWRITE64,
          Syscall.PREADV2,
          Syscall.CLOSE,
          Syscall.LSEEK,
          Syscall.FSTAT,
          Syscall.NEWFSTATAT,
          Syscall.STAT,
          Syscall.LSTAT,
          Syscall.STATX,
          Syscall.STATFS,
          Syscall.FSTATFS,
          Syscall.ACCESS,
          Syscall.FACCESSAT,
          Syscall.FACCESSAT2,
          Syscall.READLINK,
          Syscall.READLINKAT,
          Syscall.GETDENTS64,
          Syscall.DUP, // to list a folder
          Syscall.GETCWD,
          Syscall.POLL,
          Syscall.PPOLL,
          Syscall.RECVMSG,
          Syscall.SENDMSG,
          Syscall.SHUTDOWN,
          Syscall.EVENTFD2,
          // Memory. By MREMAP a mapping of a part of a file, as that of a BAR, becomes one of the
          // rest.
          Syscall.MUNMAP,
          Syscall.MPROTECT,
          Syscall.MADVISE,
          Syscall.BRK,
          Syscall.MINCORE,
          Syscall.MEMBARRIER,
          // Threads, signals, time.
          Syscall.FUTEX,
          Syscall.SCHED_YIELD,
          Syscall.SCHED_GETAFFINITY,
          Syscall.NANOSLEEP,
          Syscall.CLOCK_NANOSLEEP,
          Syscall.CLOCK_GETTIME,
          Syscall.CLOCK_GETRES,
          Syscall.GETTIMEOFDAY,
          Syscall.RESTART_SYSCALL,
          Syscall.RT_SIGACTION,
          Syscall.RT_SIGPROCMASK,
          Syscall.RT_SIGRETURN,
          Syscall.SIGALTSTACK,
          Syscall.SET_ROBUST_LIST,
          Syscall.RSEQ,
          Syscall.EXIT,
          Syscall.EXIT_GROUP,
          // What one is.
          Syscall.GETPID,
          Syscall.GETTID,
          Syscall.GETPPID,
          Syscall.GETUID,
          Syscall.GETEUID,
          Syscall.GETGID,
          Syscall.GETEGID,
          Syscall.GETRUSAGE,
          Syscall.GETRANDOM,
          Syscall.SYSINFO,
          Syscall.UNAME,
          Syscall.GETCPU,
          Syscall.TIMES);

  /** What only an attack makes: it ends the process. */
  private static final Set<Syscall> FATAL =
      EnumSet.of(
          Syscall.EXECVE,
          Syscall.EXECVEAT,
          Syscall.PTRACE,
          Syscall.PROCESS_VM_READV,
          Syscall.PROCESS_VM_WRITEV,
          Syscall.PIDFD_OPEN,
          Syscall.PIDFD_GETFD,
          Syscall.PIDFD_SEND_SIGNAL,
          Syscall.BPF,
          Syscall.PERF_EVENT_OPEN,
          Syscall.USERFAULTFD,
          Syscall.IO_URING_SETUP,
          Syscall.IO_URING_ENTER,
          Syscall.IO_URING_REGISTER,
          Syscall.MOUNT,
          Syscall.UMOUNT2,
          Syscall.PIVOT_ROOT,
          Syscall.CHROOT,
          Syscall.MOVE_MOUNT,
          Syscall.OPEN_TREE,
          Syscall.FSOPEN,
          Syscall.FSCONFIG,
          Syscall.FSMOUNT,
          Syscall.FSPICK,
          Syscall.MOUNT_SETATTR,
          Syscall.UNSHARE,
          Syscall.SETNS,
          Syscall.INIT_MODULE,
          Syscall.FINIT_MODULE,
          Syscall.DELETE_MODULE,
          Syscall.KEXEC_LOAD,
          Syscall.KEXEC_FILE_LOAD,
          Syscall.ADD_KEY,
          Syscall.REQUEST_KEY,
          Syscall.KEYCTL,
          Syscall.OPEN_BY_HANDLE_AT,
          Syscall.NAME_TO_HANDLE_AT,
          Syscall.IOPL,
          Syscall.IOPERM);

  // <linux/seccomp.h>
  private static final int SECCOMP_SET_MODE_FILTER = 1;
  private static final int SECCOMP_FILTER_FLAG_TSYNC = 1;
  private static final int RET_ALLOW = 0x7fff_0000;
  private static final int RET_ERRNO = 0x0005_0000;
  private static final int RET_KILL_PROCESS = 0x8000_0000;
  private static final int DATA_NUMBER = 0;
  private static final int DATA_ARCH = 4;
  private static final int DATA_ARGUMENTS = 16;

  // <linux/bpf_common.h>: BPF_LD | BPF_W | BPF_ABS and so on
  private static final int LOAD = 0x20;
  private static final int AND = 0x54;
  private static final int JUMP = 0x05;
  private static final int JUMP_IF_EQUAL = 0x15;
  private static final int JUMP_IF_NOT_BELOW = 0x35;
  private static final int RETURN = 0x06;
  private static final int INSTRUCTION_SIZE = 8;

  /** Numbers from here on are of the x32 ABI, in which other calls have the same effect. */
  private static final int X32_SYSCALL_BIT = 0x4000_0000;

  // <asm-generic/fcntl.h>
  private static final int O_ACCMODE = 3;
  private static final int O_CREAT = 0x40;
  private static final int O_TRUNC = 0x200;
  private static final List<Integer> FCNTL_COMMANDS =
      List.of(
          Abi.F_GETFD, Abi.F_SETFD, Abi.F_GETFL, Abi.F_DUPFD, Abi.F_DUPFD_CLOEXEC, Abi.F_GET_SEALS);

  // <linux/mman.h>
  private static final int MAP_GROWSDOWN = 0x100;

  // <linux/sched.h>
  private static final int CLONE_THREAD_FLAGS = 0x0001_0000 | 0x0000_0100 | 0x0000_0800;
  private static final int CLONE_NEW_FLAGS =
      0x0002_0000
          | 0x0200_0000
          | 0x0400_0000
          | 0x0800_0000
          | 0x1000_0000
          | 0x2000_0000
          | 0x4000_0000
          | 0x0000_0080;

  // <linux/prctl.h>
  private static final int PR_GET_DUMPABLE = 3;
  private static final int PR_SET_NAME = 15;
  private static final int PR_GET_NAME = 16;
  private static final int PR_SET_VMA = 0x5356_4d41;

  private final Syscall.Processor processor;
  private final List<Instruction> program = new ArrayList<>();

  /** A {@code struct sock_filter}. */
  private record Instruction(int code, int ifTrue, int ifFalse, int value) {}

  private SyscallFilter(Syscall.Processor processor) {
    this.processor = processor;
  }

  /**
   * Installs it on all threads.
   *
   * @throws LinuxException if the kernel refuses; then it holds on none
   */
  public static void install() {
    SyscallFilter filter = new SyscallFilter(Syscall.Processor.current());
    filter.write((int) ProcessHandle.current().pid());
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment instructions = filter.encode(arena);
      MemorySegment program = arena.allocate(Abi.SOCK_FPROG);
      program.set(JAVA_SHORT, Abi.SOCK_FPROG_LEN, (short) filter.program.size());
      program.set(JAVA_LONG, Abi.SOCK_FPROG_FILTER, instructions.address());
      long thread =
          Syscall.SECCOMP.call(
              "filter", SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, program.address());
      if (thread != 0) {
        // That is how it says that a thread has a filter of its own, and that none has this one.
        throw new LinuxException("seccomp", "thread " + thread, Errno.ESRCH.number());
      }
    }
  }

  private void write(int process) {
    load(DATA_ARCH);
    unlessEqual(processor.auditArch(), 1);
    skipNext();
    answer(RET_KILL_PROCESS);
    load(DATA_NUMBER);
    if (processor == Syscall.Processor.X86_64) {
      add(JUMP_IF_NOT_BELOW, 0, 1, X32_SYSCALL_BIT);
      answer(RET_KILL_PROCESS);
    }
    ALLOWED.forEach(call -> ifCalled(call, () -> answer(RET_ALLOW)));
    FATAL.forEach(call -> ifCalled(call, () -> answer(RET_KILL_PROCESS)));
    ifCalled(
        Syscall.OPENAT,
        () -> {
          loadArgument(2);
          allowIfNone(O_ACCMODE | O_CREAT | O_TRUNC);
        });
    ifCalled(Syscall.MMAP, this::allowMemoryThatCounts);
    ifCalled(Syscall.FCNTL, () -> allowIfOneOf(1, FCNTL_COMMANDS));
    ifCalled(
        Syscall.SETSOCKOPT,
        () -> {
          loadArgument(1);
          unlessEqual(Abi.SOL_SOCKET, 2 * 2 + 1);
          allowIfOneOf(2, List.of(Abi.SO_RCVTIMEO, Abi.SO_SNDTIMEO));
        });
    ifCalled(
        Syscall.PRCTL,
        () -> allowIfOneOf(0, List.of(PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_SET_VMA)));
    ifCalled(Syscall.TGKILL, () -> allowIfOneOf(0, List.of(process)));
    ifCalled(Syscall.CLONE, this::allowThreads);
    // Its flags are in memory, where a filter can't look; libraries then use clone.
    ifCalled(Syscall.CLONE3, () -> answer(RET_ERRNO | Errno.ENOSYS.number()));
    ifCalled(
        Syscall.PRLIMIT64,
        () -> {
          // Limits can be read, not set.
          loadArgument(2);
          unlessEqual(0, 3);
          loadHigh(2);
          unlessEqual(0, 1);
          answer(RET_ALLOW);
          refuse();
        });
    refuse();
  }

  /**
   * {@code RLIMIT_DATA} counts neither memory that is shared, though it be with nobody, nor stacks
   * ({@code is_data_mapping} in Linux).
   */
  private void allowMemoryThatCounts() {
    int sharedWithNobody = Abi.MAP_SHARED | Abi.MAP_ANONYMOUS;
    loadArgument(3);
    add(AND, 0, 0, sharedWithNobody);
    unlessEqual(sharedWithNobody, 1);
    refuse();
    loadArgument(3);
    allowIfNone(MAP_GROWSDOWN);
  }

  private void allowThreads() {
    loadArgument(0);
    add(AND, 0, 0, CLONE_THREAD_FLAGS);
    unlessEqual(CLONE_THREAD_FLAGS, 4);
    loadArgument(0);
    add(AND, 0, 0, CLONE_NEW_FLAGS);
    unlessEqual(0, 1);
    answer(RET_ALLOW);
    refuse();
  }

  private void allowIfNone(int bits) {
    add(AND, 0, 0, bits);
    unlessEqual(0, 1);
    answer(RET_ALLOW);
    refuse();
  }

  private void allowIfOneOf(int argument, List<Integer> values) {
    loadArgument(argument);
    for (int value : values) {
      unlessEqual(value, 1);
      answer(RET_ALLOW);
    }
    refuse();
  }

  /** What is done about a call, which ends in an answer in any case. */
  private void ifCalled(Syscall call, Runnable then) {
    int number = call.number(processor);
    if (number == Syscall.NONE) {
      return;
    }
    int at = program.size();
    add(JUMP_IF_EQUAL, 0, 0, number);
    then.run();
    program.set(at, new Instruction(JUMP_IF_EQUAL, 0, program.size() - at - 1, number));
  }

  private void refuse() {
    answer(RET_ERRNO | Errno.EPERM.number());
  }

  private void answer(int action) {
    add(RETURN, 0, 0, action);
  }

  private void load(int offset) {
    add(LOAD, 0, 0, offset);
  }

  /** The low half of an argument, which is all of an int; both processors have it first. */
  private void loadArgument(int index) {
    load(DATA_ARGUMENTS + index * Long.BYTES);
  }

  private void loadHigh(int index) {
    load(DATA_ARGUMENTS + index * Long.BYTES + Integer.BYTES);
  }

  /** Goes on if what was loaded is that value, else skips some instructions. */
  private void unlessEqual(int value, int skipped) {
    add(JUMP_IF_EQUAL, 0, skipped, value);
  }

  private void skipNext() {
    add(JUMP, 0, 0, 1);
  }

  private void add(int code, int ifTrue, int ifFalse, int value) {
    program.add(new Instruction(code, ifTrue, ifFalse, value));
  }

  private MemorySegment encode(Arena arena) {
    MemorySegment bytes = arena.allocate((long) program.size() * INSTRUCTION_SIZE, Integer.BYTES);
    long at = 0;
    for (Instruction instruction : program) {
      bytes.set(JAVA_SHORT, at, (short) instruction.code);
      bytes.set(JAVA_BYTE, at + 2, (byte) instruction.ifTrue);
      bytes.set(JAVA_BYTE, at + 3, (byte) instruction.ifFalse);
      bytes.set(JAVA_INT, at + 4, instruction.value);
      at += INSTRUCTION_SIZE;
    }
    return bytes;
  }
}
