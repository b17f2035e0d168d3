package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.gatun.nativeaccess.Landlock;
import org.gatun.nativeaccess.Privileges;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The demo as it is shipped: with whatever locks there are, and without root. */
@Timeout(120)
class DemoIT {
  private static final Pattern SHA256 =
      Pattern.compile("SHA-256 (?:written|read back) +(\\p{XDigit}{64})");
  private static final Pattern PROCESS = Pattern.compile("The guest was process (\\d+), ");

  private static final Path GUESTS = ModulePathRun.MODULES.resolveSibling("guests");

  /** Of {@code /proc/PID/stat}, behind the name. */
  private static final int SESSION = 3;

  /** What the guest prints first. */
  private static final String AT_WORK = "is a Gatun simulated NVMe";

  private static String locked() throws IOException {
    List<String> locks = new ArrayList<>();
    if (Privileges.canConfine()) {
      locks.addAll(List.of("namespaces", "user"));
    }
    locks.addAll(withoutRoot());
    return "Locked: " + String.join(", ", locks) + ".";
  }

  private static List<String> withoutRoot() {
    return Landlock.version() > 0 ? List.of("landlock", "syscalls") : List.of("syscalls");
  }

  @Test
  void checksADiskInAProcessOfItsOwn() throws Exception {
    checksADisk(ModulePathRun.command(List.of(), "demo"), locked());
  }

  @Test
  void needsNoRoot(@TempDir Path folder) throws Exception {
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
    // Where nobody can read it, wherever the tree is.
    Path target = Files.createDirectory(folder.resolve("target"));
    copy(ModulePathRun.MODULES, target.resolve("modules"));
    copy(GUESTS, target.resolve("guests"));
    ProcessBuilder builder = ModulePathRun.command(List.of(), "demo");
    builder
        .command()
        .replaceAll(
            word ->
                word.equals(ModulePathRun.MODULES.toString())
                    ? target.resolve("modules").toString()
                    : word);
    if (Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0)) {
      builder
          .command()
          .addAll(0, List.of("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"));
    }
    String out =
        checksADisk(
            builder.directory(folder.toFile()),
            "Locked: " + String.join(", ", withoutRoot()) + ".");
    assertThat(out)
        .contains("Without root's capabilities, its locks 'namespaces' and 'user' are left open.");
  }

  @Test
  void itsGuestRunsInTheBrokersProcessToo() throws Exception {
    ModulePathRun run =
        ModulePathRun.of(
            List.of(),
            "guest",
            "run",
            "--in-process",
            "--module-path",
            GUESTS.resolve("demo-guest").toString(),
            "--module",
            "org.example.demoguest",
            "--device",
            "simulated:nvme,size=64M",
            "--arg",
            "overwrite");
    assertThat(run.err()).isEmpty();
    assertThat(run.out()).contains("They are equal.", "iops");
    assertThat(run.status()).isZero();
  }

  private static void copy(Path source, Path target) throws IOException {
    try (Stream<Path> files = Files.walk(source)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        Files.copy(file, target.resolve(source.relativize(file).toString()));
      }
    }
  }

  private static String checksADisk(ProcessBuilder builder, String locks) throws Exception {
    Process demo = builder.redirectErrorStream(true).start();
    StringBuilder text = new StringBuilder();
    List<ProcessHandle> guests = new ArrayList<>();
    String session = "";
    try (BufferedReader lines = demo.inputReader(StandardCharsets.UTF_8)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        text.append(line).append('\n');
        if (line.contains(AT_WORK)) {
          // For a second at least, it reads here and there.
          demo.descendants().forEach(guests::add);
          session = session(guests.getFirst());
        }
      }
    }
    String out = text.toString();
    assertThat(demo.waitFor()).as(out).isZero();
    assertThat(out).contains(locks, "10! = 3628800", "They are equal.", "iops", "latency p99.9");
    List<String> sums = SHA256.matcher(out).results().map(found -> found.group(1)).toList();
    assertThat(sums).hasSize(2);
    assertThat(sums.getFirst()).isEqualTo(sums.getLast());

    Matcher process = PROCESS.matcher(out);
    assertThat(process.find()).as(out).isTrue();
    assertThat(guests).singleElement().extracting(ProcessHandle::pid).hasToString(process.group(1));
    assertThat(guests.getFirst().isAlive()).isFalse();
    // Not that of the terminal, whose Ctrl-C is for the broker.
    assertThat(session).isEqualTo(process.group(1));
    return out;
  }

  private static String session(ProcessHandle process) throws IOException {
    String stat = Files.readString(Path.of("/proc/" + process.pid() + "/stat"));
    return stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1)[SESSION];
  }
}
