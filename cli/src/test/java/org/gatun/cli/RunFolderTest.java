package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.TimeUnit;
import org.gatun.broker.service.process.ProcessJournal;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class RunFolderTest {
  @TempDir private Path folder;

  private Path all;

  @BeforeEach
  void name() {
    all = folder.resolve("runs");
  }

  @Test
  void goesWithItsRun() throws IOException {
    Path path;
    try (RunFolder run = RunFolder.open(all)) {
      path = run.path();
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(all)))
          .isEqualTo("rwx------");
      assertThat(run.isOpen()).isTrue();
      Files.createDirectories(path.resolve("root/more"));
      ProcessJournal.open(run.journal());
    }
    assertThat(path).doesNotExist();
    assertThat(all).isDirectoryNotContaining(Files::isDirectory);
  }

  @Test
  void whatAKilledRunLeftIsEndedAndRemoved() throws Exception {
    Path left = Files.createDirectories(all.resolve("left"));
    Files.setPosixFilePermissions(all, PosixFilePermissions.fromString("rwx------"));
    Files.createFile(left.resolve("lock"));
    Files.createDirectory(left.resolve("root"));
    Path early = Files.createDirectory(all.resolve("early")); // killed before it had anything
    Process process = new ProcessBuilder("sleep", "1000").start();
    try {
      Files.writeString(
          left.resolve("processes"), process.pid() + " " + startTime(process.pid()) + "\n");
      try (RunFolder run = RunFolder.open(all)) {
        assertThat(process.waitFor(1, TimeUnit.SECONDS)).isTrue();
        assertThat(left).doesNotExist();
        assertThat(early).doesNotExist();
        assertThat(run.path()).isDirectory();
      }
    } finally {
      process.destroyForcibly();
    }
  }

  /** Field 22 of all, counted behind the name (proc(5)). */
  private static String startTime(long pid) throws IOException {
    String stat = Files.readString(Path.of("/proc", Long.toString(pid), "stat"));
    return stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1)[19];
  }

  @Test
  void thatOfARunThatGoesOnStays() throws IOException {
    try (RunFolder one = RunFolder.open(all);
        RunFolder other = RunFolder.open(all)) {
      assertThat(one.path()).isDirectory().isNotEqualTo(other.path());
    }
  }

  @Test
  void whatIsWrongInOneDoesNotHoldUpTheNext() throws IOException {
    Path left = Files.createDirectories(all.resolve("left"));
    Files.setPosixFilePermissions(all, PosixFilePermissions.fromString("rwx------"));
    Files.writeString(left.resolve("processes"), "nonsense\n");
    try (RunFolder run = RunFolder.open(all)) {
      assertThat(run.path()).isDirectory();
      assertThat(left).isDirectory();
    }
  }

  @Test
  void aFolderThatOthersCanReachIsRefused() throws IOException {
    Files.createDirectory(all);
    Files.setPosixFilePermissions(all, PosixFilePermissions.fromString("rwxr-xr-x"));
    expectRefused();
  }

  @Test
  void aLinkIsRefused() throws IOException {
    Path elsewhere = Files.createDirectory(folder.resolve("elsewhere"));
    Files.setPosixFilePermissions(elsewhere, PosixFilePermissions.fromString("rwx------"));
    Files.createSymbolicLink(all, elsewhere);
    expectRefused();
    assertThat(elsewhere).isEmptyDirectory();
  }

  @Test
  void aFolderOfAnotherUserIsRefused() throws IOException {
    assumeTrue(
        Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0),
        "it takes root to give a folder away");
    Files.createDirectory(all);
    Files.setPosixFilePermissions(all, PosixFilePermissions.fromString("rwx------"));
    Files.setAttribute(all, "unix:uid", 65534);
    expectRefused();
  }

  private void expectRefused() {
    assertThatThrownBy(() -> RunFolder.open(all))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("this user's alone (mode 0700)");
  }
}
