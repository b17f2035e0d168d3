package org.gatun.nativeaccess;

import static java.lang.foreign.MemoryLayout.PathElement.groupElement;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.StructLayout;

/**
 * The numbers and structures of Linux's binary interface that this module uses, the same on x86-64
 * and AArch64. A test compares each of them with what the C compiler says of the system's headers.
 */
final class Abi {
  static final int O_RDONLY = 0;
  static final int O_WRONLY = 1;
  static final int O_RDWR = 2;
  static final int O_CLOEXEC = 0x80000;

  static final int PROT_READ = 1;
  static final int PROT_WRITE = 2;

  static final int MAP_SHARED = 1;
  static final int MAP_PRIVATE = 2;
  static final int MAP_ANONYMOUS = 0x20;
  static final int MAP_HUGETLB = 0x40000;

  static final int MADV_POPULATE_WRITE = 23;

  static final int MFD_CLOEXEC = 1;
  static final int MFD_ALLOW_SEALING = 2;
  static final int MFD_HUGETLB = 4;

  static final int F_ADD_SEALS = 1033;
  static final int F_GET_SEALS = 1034;
  static final int F_SEAL_SEAL = 1;
  static final int F_SEAL_SHRINK = 2;
  static final int F_SEAL_GROW = 4;

  static final int EFD_NONBLOCK = 0x800;
  static final int EFD_CLOEXEC = 0x80000;

  static final short POLLIN = 1;

  static final int RLIMIT_MEMLOCK = 8;
  static final long RLIM_INFINITY = -1;

  static final StructLayout POLLFD =
      MemoryLayout.structLayout(
              JAVA_INT.withName("fd"),
              JAVA_SHORT.withName("events"),
              JAVA_SHORT.withName("revents"))
          .withName("pollfd");
  static final long POLLFD_FD = offset(POLLFD, "fd");
  static final long POLLFD_EVENTS = offset(POLLFD, "events");
  static final long POLLFD_REVENTS = offset(POLLFD, "revents");

  static final StructLayout TIMESPEC =
      MemoryLayout.structLayout(JAVA_LONG.withName("tv_sec"), JAVA_LONG.withName("tv_nsec"))
          .withName("timespec");
  static final long TIMESPEC_SEC = offset(TIMESPEC, "tv_sec");
  static final long TIMESPEC_NSEC = offset(TIMESPEC, "tv_nsec");

  static final StructLayout RLIMIT =
      MemoryLayout.structLayout(JAVA_LONG.withName("rlim_cur"), JAVA_LONG.withName("rlim_max"))
          .withName("rlimit");
  static final long RLIMIT_CUR = offset(RLIMIT, "rlim_cur");
  static final long RLIMIT_MAX = offset(RLIMIT, "rlim_max");

  private Abi() {}

  private static long offset(StructLayout layout, String field) {
    return layout.byteOffset(groupElement(field));
  }
}
