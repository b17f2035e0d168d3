package org.gatun.nativeaccess;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.PaddingLayout;
import java.lang.foreign.StructLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What we say of Linux's binary interface is what the C compiler says of the system's headers. */
class AbiTest {
  private static final List<String> HEADERS =
      List.of(
          "fcntl.h",
          "poll.h",
          "time.h",
          "errno.h",
          "string.h",
          "sys/eventfd.h",
          "sys/mman.h",
          "sys/resource.h",
          "sys/socket.h",
          "sys/time.h",
          "sys/uio.h",
          "sys/un.h",
          "sys/vfs.h",
          "unistd.h",
          "asm/unistd_64.h",
          "linux/filter.h",
          "linux/magic.h",
          "sys/ioctl.h",
          "linux/fs.h",
          "linux/nsfs.h");

  @TempDir Path directory;

  @Test
  void constants() throws Exception {
    Map<String, Long> ours = new LinkedHashMap<>();
    ours.put("O_RDONLY", (long) Abi.O_RDONLY);
    ours.put("O_WRONLY", (long) Abi.O_WRONLY);
    ours.put("O_RDWR", (long) Abi.O_RDWR);
    ours.put("O_CLOEXEC", (long) Abi.O_CLOEXEC);
    ours.put("F_DUPFD", (long) Abi.F_DUPFD);
    ours.put("F_GETFD", (long) Abi.F_GETFD);
    ours.put("F_SETFD", (long) Abi.F_SETFD);
    ours.put("F_GETFL", (long) Abi.F_GETFL);
    ours.put("F_DUPFD_CLOEXEC", (long) Abi.F_DUPFD_CLOEXEC);
    ours.put("FD_CLOEXEC", (long) Abi.FD_CLOEXEC);
    ours.put("PROT_READ", (long) Abi.PROT_READ);
    ours.put("PROT_WRITE", (long) Abi.PROT_WRITE);
    ours.put("MAP_SHARED", (long) Abi.MAP_SHARED);
    ours.put("MAP_PRIVATE", (long) Abi.MAP_PRIVATE);
    ours.put("MAP_ANONYMOUS", (long) Abi.MAP_ANONYMOUS);
    ours.put("MAP_HUGETLB", (long) Abi.MAP_HUGETLB);
    ours.put("MADV_POPULATE_WRITE", (long) Abi.MADV_POPULATE_WRITE);
    ours.put("MFD_CLOEXEC", (long) Abi.MFD_CLOEXEC);
    ours.put("MFD_ALLOW_SEALING", (long) Abi.MFD_ALLOW_SEALING);
    ours.put("MFD_HUGETLB", (long) Abi.MFD_HUGETLB);
    ours.put("F_ADD_SEALS", (long) Abi.F_ADD_SEALS);
    ours.put("F_GET_SEALS", (long) Abi.F_GET_SEALS);
    ours.put("F_SEAL_SEAL", (long) Abi.F_SEAL_SEAL);
    ours.put("F_SEAL_SHRINK", (long) Abi.F_SEAL_SHRINK);
    ours.put("F_SEAL_GROW", (long) Abi.F_SEAL_GROW);
    ours.put("EFD_NONBLOCK", (long) Abi.EFD_NONBLOCK);
    ours.put("EFD_CLOEXEC", (long) Abi.EFD_CLOEXEC);
    ours.put("POLLIN", (long) Abi.POLLIN);
    ours.put("SEEK_END", (long) Abi.SEEK_END);
    ours.put("AF_UNIX", (long) Abi.AF_UNIX);
    ours.put("SOCK_STREAM", (long) Abi.SOCK_STREAM);
    ours.put("SOCK_CLOEXEC", (long) Abi.SOCK_CLOEXEC);
    ours.put("SOL_SOCKET", (long) Abi.SOL_SOCKET);
    ours.put("SO_PASSCRED", (long) Abi.SO_PASSCRED);
    ours.put("SO_PEERCRED", (long) Abi.SO_PEERCRED);
    ours.put("SO_RCVTIMEO", (long) Abi.SO_RCVTIMEO);
    ours.put("SO_SNDTIMEO", (long) Abi.SO_SNDTIMEO);
    ours.put("SCM_RIGHTS", (long) Abi.SCM_RIGHTS);
    ours.put("MSG_CTRUNC", (long) Abi.MSG_CTRUNC);
    ours.put("MSG_NOSIGNAL", (long) Abi.MSG_NOSIGNAL);
    ours.put("MSG_CMSG_CLOEXEC", (long) Abi.MSG_CMSG_CLOEXEC);
    ours.put("SHUT_RDWR", (long) Abi.SHUT_RDWR);
    ours.put("TMPFS_MAGIC", Abi.TMPFS_MAGIC);
    ours.put("HUGETLBFS_MAGIC", Abi.HUGETLBFS_MAGIC);
    ours.put("RLIMIT_MEMLOCK", (long) Abi.RLIMIT_MEMLOCK);
    ours.put("RLIM_INFINITY", Abi.RLIM_INFINITY);
    assertSameInC(ours);
  }

  @Test
  void structures() throws Exception {
    Map<String, Long> ours = new LinkedHashMap<>();
    for (StructLayout struct :
        List.of(
            Abi.POLLFD,
            Abi.TIMESPEC,
            Abi.TIMEVAL,
            Abi.RLIMIT,
            Abi.STATFS,
            Abi.SOCKADDR_UN,
            Abi.SOCK_FPROG,
            Abi.UCRED,
            Abi.IOVEC,
            Abi.MSGHDR,
            Abi.CMSGHDR)) {
      String type = "struct " + struct.name().orElseThrow();
      ours.put("sizeof(%s)".formatted(type), struct.byteSize());
      for (MemoryLayout member : struct.memberLayouts()) {
        if (member instanceof PaddingLayout) {
          continue;
        }
        String name = member.name().orElseThrow();
        ours.put(
            "offsetof(%s, %s)".formatted(type, name),
            struct.byteOffset(PathElement.groupElement(name)));
        ours.put("sizeof(((%s *) 0)->%s)".formatted(type, name), member.byteSize());
      }
    }
    assertSameInC(ours);
  }

  @Test
  void syscallNumbersOfX86() throws Exception {
    Map<String, Long> ours = new LinkedHashMap<>();
    for (Syscall call : Syscall.values()) {
      ours.put("__NR_" + call.cName(), (long) call.number(Syscall.Processor.X86_64));
    }
    assertSameInC(ours);
  }

  @Test
  void syscallNumbersOfAarch64() throws Exception {
    Map<String, String> ours = new LinkedHashMap<>();
    for (Syscall call : Syscall.values()) {
      int number = call.number(Syscall.Processor.AARCH64);
      if (number != Syscall.NONE) {
        ours.put("(long) __NR_" + call.cName(), Integer.toString(number));
      }
    }
    // As arch/arm64/include/uapi/asm/unistd.h has it.
    String asOnAarch64 =
        "stddef.h>\n#define __ARCH_WANT_NEW_STAT\n#define __ARCH_WANT_SYS_CLONE3"
            + "\n#include <asm-generic/unistd.h";
    assertThat(
            CCompiler.evaluate(
                directory, List.of(asOnAarch64), "%ld", new ArrayList<>(ours.keySet())))
        .isEqualTo(ours);
  }

  @Test
  void ioctlNumbers() throws Exception {
    Map<String, Long> ours = new LinkedHashMap<>();
    for (Ioctl request :
        List.of(
            Ioctl.io("BLKROSET", 0x12, 93),
            Ioctl.io("NS_GET_USERNS", 0xb7, 1),
            Ioctl.io("_IO(255, 255)", 255, 255))) {
      ours.put("(unsigned long) " + request.name(), request.number());
    }
    assertSameInC(ours);
  }

  @Test
  void ioctlPartsThatDoNotFitAreRefused() {
    assertThatThrownBy(() -> Ioctl.io("WIDE", 'a', 256))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("WIDE")
        .hasMessageContaining("256");
    assertThatThrownBy(() -> Ioctl.io("TYPE", 256, 1)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void errorNumbersAndTexts() throws Exception {
    Map<String, Long> numbers = new LinkedHashMap<>();
    Map<String, String> texts = new LinkedHashMap<>();
    Stream.of(Errno.values())
        .filter(errno -> errno != Errno.NONE && errno != Errno.UNKNOWN)
        .forEach(
            errno -> {
              numbers.put(errno.name(), (long) errno.number());
              texts.put("strerror(%s)".formatted(errno.name()), errno.text());
              assertThat(Errno.of(errno.number())).isSameAs(errno);
            });
    assertSameInC(numbers);
    assertThat(evaluate("%s", texts)).isEqualTo(texts);
  }

  @Test
  void errorNumbersWithoutNames() {
    assertThat(List.of(Errno.of(41), Errno.of(524), Errno.of(-1), Errno.of(Integer.MIN_VALUE)))
        .containsOnly(Errno.UNKNOWN);
  }

  private void assertSameInC(Map<String, Long> ours) throws IOException, InterruptedException {
    Map<String, String> expected = new LinkedHashMap<>();
    ours.forEach((name, value) -> expected.put("(long) (" + name + ")", Long.toString(value)));
    assertThat(evaluate("%ld", expected)).isEqualTo(expected);
  }

  private Map<String, String> evaluate(String format, Map<String, String> ours)
      throws IOException, InterruptedException {
    return CCompiler.evaluate(directory, HEADERS, format, new ArrayList<>(ours.keySet()));
  }
}
