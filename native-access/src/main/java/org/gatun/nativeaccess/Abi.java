package org.gatun.nativeaccess;

import static java.lang.foreign.MemoryLayout.PathElement.groupElement;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
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

  static final int F_DUPFD = 0;
  static final int F_GETFD = 1;
  static final int F_SETFD = 2;
  static final int F_GETFL = 3;
  static final int F_DUPFD_CLOEXEC = 1030;
  static final int FD_CLOEXEC = 1;
  static final int F_ADD_SEALS = 1033;
  static final int F_GET_SEALS = 1034;
  static final int F_SEAL_SEAL = 1;
  static final int F_SEAL_SHRINK = 2;
  static final int F_SEAL_GROW = 4;

  static final int EFD_NONBLOCK = 0x800;
  static final int EFD_CLOEXEC = 0x80000;

  static final int RWF_NOWAIT = 8;

  static final short POLLIN = 1;

  static final int SEEK_END = 2;

  static final long TMPFS_MAGIC = 0x01021994;
  static final long HUGETLBFS_MAGIC = 0x958458f6L;

  static final int AF_UNIX = 1;
  static final int SOCK_STREAM = 1;
  static final int SOCK_CLOEXEC = 0x80000;
  static final int SOL_SOCKET = 1;
  static final int SO_PASSCRED = 16;
  static final int SO_PEERCRED = 17;
  static final int SO_RCVTIMEO = 20;
  static final int SO_SNDTIMEO = 21;
  static final int SCM_RIGHTS = 1;
  static final int MSG_CTRUNC = 8;
  static final int MSG_NOSIGNAL = 0x4000;
  static final int MSG_CMSG_CLOEXEC = 0x40000000;
  static final int SHUT_RDWR = 2;

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

  static final StructLayout TIMEVAL =
      MemoryLayout.structLayout(JAVA_LONG.withName("tv_sec"), JAVA_LONG.withName("tv_usec"))
          .withName("timeval");
  static final long TIMEVAL_SEC = offset(TIMEVAL, "tv_sec");
  static final long TIMEVAL_USEC = offset(TIMEVAL, "tv_usec");

  /** Of the rest nothing is used, but the kernel fills it. */
  static final StructLayout STATFS =
      MemoryLayout.structLayout(JAVA_LONG.withName("f_type"), MemoryLayout.paddingLayout(112))
          .withName("statfs");

  static final long STATFS_TYPE = offset(STATFS, "f_type");

  static final StructLayout SOCK_FPROG =
      MemoryLayout.structLayout(
              JAVA_SHORT.withName("len"),
              MemoryLayout.paddingLayout(6),
              JAVA_LONG.withName("filter"))
          .withName("sock_fprog");
  static final long SOCK_FPROG_LEN = offset(SOCK_FPROG, "len");
  static final long SOCK_FPROG_FILTER = offset(SOCK_FPROG, "filter");

  static final StructLayout SOCKADDR_UN =
      MemoryLayout.structLayout(
              JAVA_SHORT.withName("sun_family"),
              MemoryLayout.sequenceLayout(108, JAVA_BYTE).withName("sun_path"))
          .withName("sockaddr_un");
  static final long SOCKADDR_UN_FAMILY = offset(SOCKADDR_UN, "sun_family");
  static final long SOCKADDR_UN_PATH = offset(SOCKADDR_UN, "sun_path");

  static final StructLayout UCRED =
      MemoryLayout.structLayout(
              JAVA_INT.withName("pid"), JAVA_INT.withName("uid"), JAVA_INT.withName("gid"))
          .withName("ucred");
  static final long UCRED_PID = offset(UCRED, "pid");
  static final long UCRED_UID = offset(UCRED, "uid");
  static final long UCRED_GID = offset(UCRED, "gid");

  static final StructLayout IOVEC =
      MemoryLayout.structLayout(JAVA_LONG.withName("iov_base"), JAVA_LONG.withName("iov_len"))
          .withName("iovec");
  static final long IOVEC_BASE = offset(IOVEC, "iov_base");
  static final long IOVEC_LEN = offset(IOVEC, "iov_len");

  static final StructLayout MSGHDR =
      MemoryLayout.structLayout(
              JAVA_LONG.withName("msg_name"),
              JAVA_INT.withName("msg_namelen"),
              MemoryLayout.paddingLayout(4),
              JAVA_LONG.withName("msg_iov"),
              JAVA_LONG.withName("msg_iovlen"),
              JAVA_LONG.withName("msg_control"),
              JAVA_LONG.withName("msg_controllen"),
              JAVA_INT.withName("msg_flags"),
              MemoryLayout.paddingLayout(4))
          .withName("msghdr");
  static final long MSGHDR_IOV = offset(MSGHDR, "msg_iov");
  static final long MSGHDR_IOVLEN = offset(MSGHDR, "msg_iovlen");
  static final long MSGHDR_CONTROL = offset(MSGHDR, "msg_control");
  static final long MSGHDR_CONTROLLEN = offset(MSGHDR, "msg_controllen");
  static final long MSGHDR_FLAGS = offset(MSGHDR, "msg_flags");

  static final StructLayout CMSGHDR =
      MemoryLayout.structLayout(
              JAVA_LONG.withName("cmsg_len"),
              JAVA_INT.withName("cmsg_level"),
              JAVA_INT.withName("cmsg_type"))
          .withName("cmsghdr");
  static final long CMSGHDR_LEN = offset(CMSGHDR, "cmsg_len");
  static final long CMSGHDR_LEVEL = offset(CMSGHDR, "cmsg_level");
  static final long CMSGHDR_TYPE = offset(CMSGHDR, "cmsg_type");

  private Abi() {}

  private static long offset(StructLayout layout, String field) {
    return layout.byteOffset(groupElement(field));
  }
}
