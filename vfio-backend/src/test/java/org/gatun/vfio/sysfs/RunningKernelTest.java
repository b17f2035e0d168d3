package org.gatun.vfio.sysfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciAddress;
import org.gatun.pci.TimeSource;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the kernel is told through files and programs, with others in their place. */
class RunningKernelTest {
  private static final PciAddress ADDRESS = PciAddress.parse("0000:01:00.0");
  private static final Duration LONG = Duration.ofMinutes(1);
  private static final Duration SHORT = Duration.ofMillis(1);

  /** It stops itself: only a kill ends it. */
  private static final String HANGS = "kill -STOP $$";

  @TempDir Path directory;
  private final Set<ProcessHandle> before = children();

  @AfterEach
  void kill() {
    newChildren().forEach(ProcessHandle::destroyForcibly);
  }

  @Test
  void aModprobeThatHangsIsAnErrorAndIsEnded() throws Exception {
    FakeMachine machine = new FakeMachine(directory.resolve("root")).device("0000:01:00.0", "", 7);
    DriverBinding binding =
        new DriverBinding(
            machine.sysfs(),
            new DriverJournal(directory.resolve("journal")),
            modprobe(HANGS, SHORT),
            TimeSource.system());

    assertThatThrownBy(() -> binding.bind(ADDRESS))
        .isInstanceOf(DeviceUnavailableException.class)
        .hasMessageStartingWith("vfio:0000:01:00.0: ")
        .hasMessageContaining("'modprobe vfio-pci' failed: it did not end in ")
        .hasMessageContaining("as root");

    assertChildrenEnd();
  }

  @Test
  void anInterruptEndsModprobeToo() throws Exception {
    RunningKernel kernel = modprobe(HANGS, LONG);
    Thread.currentThread().interrupt();

    assertThatThrownBy(() -> kernel.loadModule("nvme"))
        .isInstanceOf(IOException.class)
        .hasMessage("interrupted");

    assertThat(Thread.interrupted()).isTrue();
    assertChildrenEnd();
  }

  @Test
  void modprobeGetsTheNameAndItsReasonIsPassedOn() throws IOException {
    assertThatCode(() -> modprobe("[ \"$*\" = '-- nvme' ]", LONG).loadModule("nvme"))
        .doesNotThrowAnyException();
    assertThatThrownBy(
            () -> modprobe("echo FATAL: >&2; echo \"no $2\"; exit 1", LONG).loadModule("nvme"))
        .isInstanceOf(IOException.class)
        .hasMessage("FATAL: no nvme");
  }

  @Test
  void aMissingModprobeIsNamed() {
    Path missing = directory.resolve("missing");
    assertThatThrownBy(() -> new RunningKernel(missing, LONG).loadModule("nvme"))
        .isInstanceOf(IOException.class)
        .hasMessage("there is no " + missing);
  }

  @Test
  void aFileThatIsNotThereIsNotCreated() throws IOException {
    Path file = Files.writeString(directory.resolve("bind"), "");
    RunningKernel kernel = new RunningKernel();
    kernel.write(file, "0000:01:00.0");
    assertThat(file).hasContent("0000:01:00.0");
    Files.delete(file);
    assertThatThrownBy(() -> kernel.write(file, "x")).isInstanceOf(NoSuchFileException.class);
    assertThat(file).doesNotExist();
  }

  private RunningKernel modprobe(String script, Duration limit) throws IOException {
    Path program = Files.writeString(directory.resolve("modprobe"), "#!/bin/sh\n" + script + "\n");
    Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
    return new RunningKernel(program, limit);
  }

  private void assertChildrenEnd() throws Exception {
    for (ProcessHandle child : newChildren()) {
      child.onExit().get(LONG.toSeconds(), TimeUnit.SECONDS);
    }
  }

  private Set<ProcessHandle> newChildren() {
    Set<ProcessHandle> children = children();
    children.removeAll(before);
    return children;
  }

  private static Set<ProcessHandle> children() {
    return ProcessHandle.current().children().collect(Collectors.toSet());
  }
}
