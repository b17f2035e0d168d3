package org.gatun.broker.service.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.gatun.hostile.GuestModules;
import org.gatun.pci.DeviceName;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a hostile guest gets of what it tries, in a process of its own on the simulated bus. */
@Timeout(120)
class EscapeTest {
  private static final long BROKER = ProcessHandle.current().pid();

  @TempDir private Path folder;
  private GuestRun guests;
  private DeviceName edu;

  @BeforeEach
  void start() throws Exception {
    assumeTrue(
        Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0),
        "a guest's locks need root: run the tests as root");
    guests = new GuestRun(folder);
    edu = guests.plug("edu");
  }

  @AfterEach
  void stop() {
    if (guests != null) {
      guests.close();
    }
  }

  private void withNativeHelper() {
    guests
        .launcher()
        .addToBootLayer(
            GuestModules.nativeHelper(),
            List.of(
                "--add-modules=org.gatun.hostile.nativehelper",
                "--enable-native-access=org.gatun.nativeaccess,org.gatun.hostile.nativehelper"));
  }

  /** The outcomes of attempts, by their texts, that one guest makes one after the other. */
  private List<String> outcomes(String... attempts) throws Exception {
    GuestProcess.End end = guests.run(edu, attempts);
    assertThat(end.status()).as(end.toString()).isZero();
    List<String> outcomes = new ArrayList<>();
    for (String attempt : attempts) {
      outcomes.add(
          end.lastLines().stream()
              .filter(line -> line.startsWith("[" + attempt + "] "))
              .findFirst()
              .map(line -> line.substring(attempt.length() + 3))
              .orElse("no outcome of " + attempt + " in " + end.lastLines()));
    }
    return outcomes;
  }

  @Test
  void filesOfTheHostAreNotThere() throws Exception {
    String temporary = folder.toString();
    assertThat(
            outcomes(
                "read /etc/passwd",
                "read /dev/vfio/vfio",
                "read /dev/mem",
                "read /sys/bus/pci/devices",
                "read /proc/" + BROKER + "/mem",
                "read /proc/" + BROKER + "/environ",
                "list " + temporary,
                "list /root",
                "list /tmp"))
        .allSatisfy(outcome -> assertThat(outcome).startsWith("refused: java.nio.file."));
    // Its own descriptors it can count; what they are the broker has looked at.
    assertThat(outcomes("list /proc/self/fd").getFirst()).startsWith("found [0, 1, ");
    assertThat(outcomes("list /").getFirst())
        .contains("gatun")
        .doesNotContain("etc", "sys", "root", "tmp", "home", "var", "run");
  }

  @Test
  void nothingCanBeWritten() throws Exception {
    assertThat(
            outcomes(
                "write /x",
                "write /proc/self/mem",
                "write /proc/self/oom_score_adj",
                "write /gatun/x",
                "write /dev/null"))
        .allSatisfy(
            outcome -> assertThat(outcome).startsWith("refused: java.io.FileNotFoundException"));
  }

  @Test
  void noProgramNoSocketNoOtherProcess() throws Exception {
    assertThat(
            outcomes(
                "exec /gatun/jdk/bin/java -version",
                "exec /bin/sh",
                "tcp",
                "udp",
                "unix /run/x",
                "destroy " + BROKER,
                "destroy 1"))
        .allSatisfy(outcome -> assertThat(outcome).startsWith("refused"));
    assertThat(outcomes("processes")).containsExactly("sees 1");
    assertThat(ProcessHandle.of(BROKER)).isPresent();
  }

  @Test
  void javasOwnLocksHold() throws Exception {
    assertThat(
            outcomes(
                "native",
                "module org.gatun.nativeaccess.Fd",
                "module org.gatun.broker.launcher.Stage2",
                "module sun.misc.Unsafe"))
        .allSatisfy(outcome -> assertThat(outcome).startsWith("refused"));
  }

  @Test
  void theDeviceIsWhatWasGranted() throws Exception {
    assertThat(outcomes("config", "bar", "dma"))
        .satisfiesExactly(
            config -> assertThat(config).isEqualTo("unchanged"),
            bar -> assertThat(bar).startsWith("refused: java.lang.IllegalArgumentException"),
            dma -> assertThat(dma).startsWith("refused: "));
  }

  @Test
  void whatCanBeExhaustedIsTheGuestsOwn() throws Exception {
    String before = GuestRun.holdings();
    List<String> outcomes = outcomes("descriptors", "threads");
    assertThat(outcomes.getFirst()).matches("got \\d{1,3}, then .*Too many open files.*");
    assertThat(outcomes.getLast()).matches("got \\d{1,3}, then .*");
    GuestProcess.End memory = guests.run(edu, "memory");
    assertThat(memory.status()).isEqualTo(3); // -XX:+ExitOnOutOfMemoryError
    assertThat(GuestRun.holdings()).isEqualTo(before);
  }

  @Test
  void outputWithoutEndHarmsNobody() throws Exception {
    GuestProcess.End end = guests.run(edu, "output 20000");
    assertThat(end.lastLines()).hasSizeLessThanOrEqualTo(201);
    assertThat(end.lastLines().getLast()).isEqualTo("[output 20000] printed 20000");
    assertThat(end.lastLines()).allSatisfy(line -> assertThat(line).hasSizeLessThan(1025));
  }

  @Test
  void nativeCodeGetsNothingThatTheFilterHasNotLeft() throws Exception {
    withNativeHelper();
    int readWrite = 2;
    int create = 0x41;
    List<String> refused =
        List.of(
            "openat /proc/self/mem " + readWrite,
            "openat /x " + create,
            "fork",
            "vfork",
            "clone 17",
            "clone 0x10000000", // CLONE_NEWUSER
            "socketpair 1",
            "kill " + BROKER + " 9",
            "kill 0 0",
            "tkill " + BROKER + " 9",
            "tgkill " + BROKER + " 9",
            "memfd_create",
            "setresuid",
            "capset",
            "prctl 4 1", // PR_SET_DUMPABLE
            "prctl 22 0", // PR_SET_SECCOMP
            "prlimit64",
            "seccomp",
            "fcntl 3 4 0", // F_SETFL
            "fcntl 3 8 1", // F_SETOWN
            "ioctl 3 0x5401");
    List<String> sockets =
        Stream.of(1, 2, 10, 16, 17, 38, 40).map(family -> "socket " + family + " 1").toList();
    List<String> all = new ArrayList<>(refused);
    all.addAll(sockets);
    assertThat(outcomes(all.toArray(String[]::new)))
        .as(all.toString())
        .allSatisfy(outcome -> assertThat(outcome).isEqualTo("result -1"));
    assertThat(outcomes("clone3", "getrlimit", "getpid", "openat /dev/null 0"))
        .satisfiesExactly(
            clone3 -> assertThat(clone3).isEqualTo("result -38"),
            limit -> assertThat(limit).isEqualTo("result 0"),
            pid -> assertThat(pid).matches("result \\d+"),
            file -> assertThat(file).matches("result \\d+"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "execve /gatun/jdk/bin/java",
        "execveat /gatun/jdk/bin/java",
        "ptrace 1",
        "process_vm_readv 1",
        "process_vm_writev 1",
        "pidfd_open 1",
        "pidfd_getfd",
        "mount /",
        "umount2 /",
        "chroot /",
        "pivot_root /",
        "unshare 0x10000000",
        "setns",
        "io_uring_setup",
        "bpf",
        "userfaultfd",
        "perf_event_open",
        "keyctl",
        "iopl",
        "init_module",
        "x32"
      })
  void anAttackEndsTheProcess(String attempt) throws Exception {
    withNativeHelper();
    GuestProcess.End end = guests.run(edu, attempt);
    assertThat(end.status()).as(end.toString()).isEqualTo(128 + 31);
    assertThat(end.reason()).contains("system call");
    assertThat(end.lastLines()).noneMatch(line -> line.contains("result"));
  }
}
