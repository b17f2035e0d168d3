package org.gatun.hostile;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.gatun.hostile.nativehelper.Native;

/**
 * Attempts of code that has gained native execution: system calls, by their numbers on x86-64, with
 * arguments that would do if they were allowed. Some end the process.
 */
final class NativeAttempts {
  private static final int AT_FDCWD = -100;

  /** PROT_READ | PROT_WRITE. */
  private static final int READ_WRITE = 3;

  /** MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE. */
  private static final int PRIVATE_POPULATED = 0x8022;

  /** PROT_READ | PROT_EXEC. */
  private static final int READ_EXECUTE = 5;

  /** {@code mov eax, 20; int 0x80; ret}: getpid(2), as programs of 32 bits call it. */
  private static final byte[] OLD_GETPID = {
    (byte) 0xb8, 20, 0, 0, 0, (byte) 0xcd, (byte) 0x80, (byte) 0xc3
  };

  private NativeAttempts() {}

  /**
   * Makes one.
   *
   * @param name of the call
   * @param arguments numbers, or texts that begin with a slash
   * @return the call's result, or the negative of errno
   */
  static String make(String name, List<String> arguments) {
    try (Arena arena = Arena.ofConfined()) {
      long[] numbers = arguments.stream().mapToLong(text -> number(arena, text)).toArray();
      return "result " + call(arena, name, numbers);
    }
  }

  /** All that are to be refused, with zeros for arguments, and what came of those that were not. */
  static String allNumbers() {
    BitSet known = new BitSet();
    SystemCalls.notRefused().forEach(call -> known.set(call.number()));
    int refused = 0;
    Map<Integer, Long> others = new TreeMap<>();
    for (int number = 0; number < SystemCalls.END; number++) {
      if (!known.get(number)) {
        long result = Native.call(number);
        if (result == -1) {
          refused++;
        } else {
          others.put(number, result);
        }
      }
    }
    return "%d refused, others %s".formatted(refused, others);
  }

  /** A system call by the way of programs of 32 bits, whose numbers are others. */
  private static int oldCall() {
    long page = Native.call(9, 0, 4096, READ_WRITE, PRIVATE_POPULATED, -1, 0);
    MemorySegment.copy(
        OLD_GETPID, 0, Native.memory(page, 4096), ValueLayout.JAVA_BYTE, 0, OLD_GETPID.length);
    long executable = Native.call(10, page, 4096, READ_EXECUTE);
    if (executable != 0) {
      throw new IllegalStateException("mprotect " + executable);
    }
    return Native.execute(page);
  }

  /** Pages past the JVM's own accounts, each touched: at most so many MiB. */
  static String memory(String mebibytes) {
    int most = Integer.parseInt(mebibytes);
    long[] last = new long[16];
    for (int got = 0; got < most; got++) {
      long address = Native.call(9, 0, 1 << 20, READ_WRITE, PRIVATE_POPULATED, -1, 0);
      if (address < 0) {
        for (long block : last) {
          Native.call(11, block, 1 << 20); // munmap: for the JVM to tell of it
        }
        return "got %d MiB, then %d".formatted(got, address);
      }
      last[got % last.length] = address;
    }
    return "got all of " + most + " MiB";
  }

  private static long number(Arena arena, String text) {
    return text.startsWith("/") ? arena.allocateFrom(text).address() : Long.decode(text);
  }

  /** A {@code struct iovec} of a few bytes. */
  private static long vector(Arena arena, long address) {
    return arena.allocateFrom(ValueLayout.JAVA_LONG, address, Long.BYTES).address();
  }

  /** A {@code union bpf_attr}: BPF_MAP_TYPE_ARRAY, sizes of key and value, entries. */
  private static long arrayMap(Arena arena) {
    return arena
        .allocate(128, 8)
        .copyFrom(arena.allocateFrom(ValueLayout.JAVA_INT, 2, 4, 4, 1))
        .address();
  }

  /** A {@code struct perf_event_attr}: of software, its own time in user mode, for anybody. */
  private static long clock(Arena arena) {
    MemorySegment attributes = arena.allocate(128, 8);
    attributes.set(ValueLayout.JAVA_INT, 0, 1); // PERF_TYPE_SOFTWARE
    attributes.set(ValueLayout.JAVA_LONG, 40, 0x60); // exclude_kernel, exclude_hv
    return attributes.address();
  }

  /** A {@code struct sockaddr_un}. */
  private static long address(Arena arena, long path) {
    MemorySegment address = arena.allocate(110, 2);
    address.set(ValueLayout.JAVA_SHORT, 0, (short) 1); // AF_UNIX
    address.setString(2, Native.memory(path, 108).getString(0));
    return address.address();
  }

  private static long call(Arena arena, String name, long[] a) {
    MemorySegment zeros = arena.allocate(4096, 4096);
    long buffer = zeros.address();
    return switch (name) {
      case "openat" -> Native.call(257, AT_FDCWD, a[0], a[1], 0600);
      case "socket" -> Native.call(41, a[0], a[1], 0);
      case "socketpair" -> Native.call(53, a[0], 1, 0, buffer);
      case "fork" -> Native.call(57);
      case "vfork" -> Native.call(58);
      case "clone" -> Native.call(56, a[0]);
      case "clone3" -> Native.call(435, buffer, 88);
      case "execve" -> Native.call(59, a[0], buffer, buffer);
      case "execveat" -> Native.call(322, AT_FDCWD, a[0], buffer, buffer, 0);
      case "ptrace" -> Native.call(101, 16, a[0]); // PTRACE_ATTACH
      case "process_vm_readv" ->
          Native.call(310, a[0], vector(arena, buffer), 1, vector(arena, a[1]), 1, 0);
      case "process_vm_writev" ->
          Native.call(311, a[0], vector(arena, buffer), 1, vector(arena, a[1]), 1, 0);
      case "pidfd_open" -> Native.call(434, a[0], 0);
      case "pidfd_getfd" -> Native.call(438, a[0], a[1], 0);
      case "kill" -> Native.call(62, a[0], a[1]);
      case "tkill" -> Native.call(200, a[0], a[1]);
      case "tgkill" -> Native.call(234, a[0], a[0], a[1]);
      case "mount" -> Native.call(165, a[0], a[1], 0, 4096, 0); // MS_BIND
      case "umount2" -> Native.call(166, a[0], 2); // MNT_DETACH
      case "chroot" -> Native.call(161, a[0]);
      case "pivot_root" -> Native.call(155, a[0], a[1]);
      case "unshare" -> Native.call(272, a[0]);
      case "setns" -> Native.call(308, Native.call(257, AT_FDCWD, a[0], 0, 0), 0);
      case "io_uring_setup" -> Native.call(425, 8, buffer);
      case "bpf" -> Native.call(321, 0, arrayMap(arena), 128); // BPF_MAP_CREATE
      case "userfaultfd" -> Native.call(323, 1); // UFFD_USER_MODE_ONLY
      case "perf_event_open" -> Native.call(298, clock(arena), 0, -1, -1, 0);
      // KEYCTL_GET_KEYRING_ID of the session, which is made
      case "keyctl" -> Native.call(250, 0, -3, 1);
      case "iopl" -> Native.call(172, 3);
      case "init_module" -> Native.call(175, buffer, 4096, buffer);
      case "memfd_create" -> Native.call(319, arena.allocateFrom("x").address(), 0);
      case "setresuid" -> Native.call(117, 0, 0, 0);
      case "capset" -> Native.call(126, buffer, buffer);
      case "prctl" -> Native.call(157, a[0], a[1], 0, 0, 0);
      case "prlimit64" -> Native.call(302, 0, 7, buffer, 0);
      case "getrlimit" -> Native.call(302, 0, 7, 0, buffer);
      case "seccomp" -> Native.call(317, 0, 0, 0);
      case "fcntl" -> Native.call(72, a[0], a[1], a[2]);
      case "ioctl" -> Native.call(16, a[0], a[1], buffer);
      case "mmap" -> Native.call(9, 0, 4096, READ_WRITE, a[0], -1, 0);
      case "dup" -> Native.call(32, a[0]);
      case "number" -> Native.call(a[0]);
      case "pwrite" -> Native.call(18, a[0], buffer, 1, 0);
      case "readlink" -> Native.call(89, a[0], buffer, 4096);
      case "limit-of" -> Native.call(302, a[0], 7, 0, buffer);
      case "madvise-poison" -> Native.call(28, buffer, 4096, 100); // MADV_HWPOISON
      case "setsockopt" -> Native.call(54, a[0], a[1], a[2], buffer, 4);
      case "getsockopt" -> Native.call(55, a[0], a[1], a[2], buffer, buffer + 8);
      case "connect" -> Native.call(42, a[0], address(arena, a[1]), 110);
      case "getpid" -> Native.call(39);
      case "int-80" -> oldCall();
      case "x32" -> Native.call(0x4000_0000L | 39);
      default -> throw new IllegalArgumentException("there is no attempt " + name);
    };
  }
}
