package org.gatun.nativeaccess;

import java.util.Locale;

/**
 * The system calls that are made by their number, or told apart by it in a {@link SyscallFilter}.
 */
enum Syscall {
  ACCESS(21, -1),
  ADD_KEY(248, 217),
  BPF(321, 280),
  BRK(12, 214),
  CAPSET(126, 91),
  CHDIR(80, 49),
  CHROOT(161, 51),
  CLOCK_GETRES(229, 114),
  CLOCK_GETTIME(228, 113),
  CLOCK_NANOSLEEP(230, 115),
  CLONE(56, 220),
  CLONE3(435, 435),
  CLOSE(3, 57),
  CLOSE_RANGE(436, 436),
  DELETE_MODULE(176, 106),
  DUP(32, 23),
  DUP3(292, 24),
  EVENTFD2(290, 19),
  EXECVE(59, 221),
  EXECVEAT(322, 281),
  EXIT(60, 93),
  EXIT_GROUP(231, 94),
  FACCESSAT(269, 48),
  FACCESSAT2(439, 439),
  FCNTL(72, 25),
  FINIT_MODULE(313, 273),
  FSCONFIG(431, 431),
  FSMOUNT(432, 432),
  FSOPEN(430, 430),
  FSPICK(433, 433),
  FSTAT(5, 80),
  FSTATFS(138, 44),
  FUTEX(202, 98),
  GETCPU(309, 168),
  GETCWD(79, 17),
  GETDENTS64(217, 61),
  GETEGID(108, 177),
  GETEUID(107, 175),
  GETGID(104, 176),
  GETPID(39, 172),
  GETPPID(110, 173),
  GETRANDOM(318, 278),
  GETRUSAGE(98, 165),
  GETTID(186, 178),
  GETTIMEOFDAY(96, 169),
  GETUID(102, 174),
  INIT_MODULE(175, 105),
  IO_URING_ENTER(426, 426),
  IO_URING_REGISTER(427, 427),
  IO_URING_SETUP(425, 425),
  IOPERM(173, -1),
  IOPL(172, -1),
  KEXEC_FILE_LOAD(320, 294),
  KEXEC_LOAD(246, 104),
  KEYCTL(250, 219),
  KILL(62, 129),
  LANDLOCK_ADD_RULE(445, 445),
  LANDLOCK_CREATE_RULESET(444, 444),
  LANDLOCK_RESTRICT_SELF(446, 446),
  LSEEK(8, 62),
  LSTAT(6, -1),
  MADVISE(28, 233),
  MEMBARRIER(324, 283),
  MINCORE(27, 232),
  MMAP(9, 222),
  MOUNT(165, 40),
  MOUNT_SETATTR(442, 442),
  MOVE_MOUNT(429, 429),
  MPROTECT(10, 226),
  MUNMAP(11, 215),
  NAME_TO_HANDLE_AT(303, 264),
  NANOSLEEP(35, 101),
  NEWFSTATAT(262, 79),
  OPEN_BY_HANDLE_AT(304, 265),
  OPEN_TREE(428, 428),
  OPENAT(257, 56),
  PERF_EVENT_OPEN(298, 241),
  PIDFD_GETFD(438, 438),
  PIDFD_OPEN(434, 434),
  PIDFD_SEND_SIGNAL(424, 424),
  PIVOT_ROOT(155, 41),
  POLL(7, -1),
  PPOLL(271, 73),
  PRCTL(157, 167),
  PREAD64(17, 67),
  PREADV2(327, 286),
  PRLIMIT64(302, 261),
  PROCESS_VM_READV(310, 270),
  PROCESS_VM_WRITEV(311, 271),
  PTRACE(101, 117),
  PWRITE64(18, 68),
  READ(0, 63),
  READLINK(89, -1),
  READLINKAT(267, 78),
  READV(19, 65),
  RECVFROM(45, 207),
  RECVMSG(47, 212),
  REQUEST_KEY(249, 218),
  RESTART_SYSCALL(219, 128),
  RSEQ(334, 293),
  RT_SIGACTION(13, 134),
  RT_SIGPROCMASK(14, 135),
  RT_SIGRETURN(15, 139),
  SCHED_GETAFFINITY(204, 123),
  SCHED_YIELD(24, 124),
  SECCOMP(317, 277),
  SENDMSG(46, 211),
  SENDTO(44, 206),
  SET_ROBUST_LIST(273, 99),
  SETGROUPS(116, 159),
  SETHOSTNAME(170, 161),
  SETNS(308, 268),
  SETSID(112, 157),
  SETSOCKOPT(54, 208),
  SETRESGID(119, 149),
  SETRESUID(117, 147),
  SHUTDOWN(48, 210),
  SIGALTSTACK(131, 132),
  STAT(4, -1),
  STATFS(137, 43),
  STATX(332, 291),
  SYSINFO(99, 179),
  TGKILL(234, 131),
  TIMES(100, 153),
  UMASK(95, 166),
  UMOUNT2(166, 39),
  UNAME(63, 160),
  UNSHARE(272, 97),
  USERFAULTFD(323, 282),
  WRITE(1, 64),
  WRITEV(20, 66);

  /** How a filter is told which numbers are meant ({@code <linux/audit.h>}, AUDIT_ARCH_*). */
  enum Processor {
    X86_64(0xc000_003e),
    AARCH64(0xc000_00b7),
    OTHER(0);

    private final int auditArch;

    Processor(int auditArch) {
      this.auditArch = auditArch;
    }

    int auditArch() {
      return auditArch;
    }

    /** The one that this process runs on. */
    static Processor current() {
      return switch (System.getProperty("os.arch")) {
        case "amd64" -> X86_64;
        case "aarch64" -> AARCH64;
        default -> OTHER;
      };
    }
  }

  /** A processor that does not have the call, or that we do not know. */
  static final int NONE = -1;

  private final int x86;
  private final int generic;

  /**
   * @param x86 its number on x86-64 ({@code <asm/unistd_64.h>})
   * @param generic its number where the kernel's common list holds ({@code <asm-generic/unistd.h>})
   */
  Syscall(int x86, int generic) {
    this.x86 = x86;
    this.generic = generic;
  }

  /** As C's headers have it, without prefix. */
  String cName() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Its number there, or {@link #NONE}. */
  int number(Processor processor) {
    return switch (processor) {
      case X86_64 -> x86;
      case AARCH64 -> generic;
      case OTHER -> NONE;
    };
  }

  /**
   * Makes it, on this thread.
   *
   * @param target for messages: what it is made on
   * @param arguments numbers and addresses, whose memory the caller keeps alive
   * @return its result, not negative
   * @throws LinuxException if it fails
   */
  long call(String target, long... arguments) {
    return Linux.check(Linux.calls().syscall(currentNumber(), arguments), cName(), target);
  }

  private int currentNumber() {
    int number = number(Processor.current());
    if (number == NONE) {
      throw new LinuxException(cName(), System.getProperty("os.arch"), Errno.ENOSYS.number());
    }
    return number;
  }
}
