package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.gatun.cli.RecordedBackend.Accident;
import org.gatun.cli.RecordedBackend.Disk;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A command ends early, and in good order, when its device is taken away or it is interrupted. */
@Timeout(120)
class LettingGoTest {
  private static final int DOORBELLS = 50;

  /** Of the flags in /proc/net/unix, __SO_ACCEPTCON. */
  private static final String ACCEPTS_CONNECTIONS = "00010000";

  private static final int MIB = 1 << 20;

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"read", "write", "perf", "copy"})
  void aDeviceThatIsWantedBackIsShutDownFirst(String command) throws IOException {
    RecordedBackend.next(new Accident(DOORBELLS, Disk::requestBack));
    run(command)
        .expectFailure(ExitCode.FAILED, "simulated:disk", "wanted back before all was done");
    assertThat(record()).hasContent("shutdown");
    assertThat(folder).isDirectoryNotContaining("glob:**output*");
  }

  /** The wish goes through: the client of an export shuts the disk down, and then it ends. */
  @Test
  void aDeviceThatIsServedIsShutDownByItsClient() throws Exception {
    RecordedBackend.next(new Accident(DOORBELLS, Disk::requestBack));
    Path socket = folder.resolve("disk.sock");
    CompletableFuture<CommandLineRun> export =
        CompletableFuture.supplyAsync(
            () -> CommandLineRun.of("export", device(), "--socket", socket.toString()));
    while (!isListening(socket)) {
      assertThat(export).isNotDone();
      Thread.onSpinWait();
    }
    CommandLineRun.of("nvme", "perf", "--device", "vfio-user:" + socket, "--seconds", "60")
        .expectFailure(ExitCode.FAILED, "disk.sock", "wanted back before all was done");
    assertThat(record()).hasContent("shutdown");
    assertThat(export.get().err()).contains("simulated:disk", "wanted back");
    assertThat(socket).doesNotExist();
  }

  /** The file is there when it is bound, a moment before a connect is not refused. */
  private static boolean isListening(Path socket) throws IOException {
    try (Stream<String> sockets = Files.lines(Path.of("/proc/net/unix"))) {
      return sockets.anyMatch(
          line -> line.endsWith(" " + socket) && line.contains(" " + ACCEPTS_CONNECTIONS + " "));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"read", "write", "perf", "copy"})
  void aDeviceThatIsUnpluggedIsLeft(String command) {
    RecordedBackend.next(new Accident(DOORBELLS, Disk::unplug));
    run(command).expectFailure(ExitCode.FAILED, "simulated:disk", "the device is gone");
    assertThat(record()).doesNotExist();
    assertThat(folder).isDirectoryNotContaining("glob:**output*");
  }

  @ParameterizedTest
  @CsvSource({"INT, 130", "TERM, 143"})
  void anInterruptedWriteShutsTheDiskDown(String signal, int status) throws Exception {
    Process gatun = write();
    try (OutputStream data = gatun.getOutputStream()) {
      byte[] zeros = new byte[MIB];
      for (int i = 0; i < 64; i++) {
        data.write(zeros);
      }
      signal(gatun, signal);
      while (gatun.isAlive()) {
        data.write(zeros);
      }
    } catch (IOException e) {
      assertThat(e).hasMessageContaining("Broken pipe"); // it has stopped reading
    }
    assertThat(gatun.waitFor()).isEqualTo(status);
    assertThat(errors(gatun))
        .containsExactly("gatun: simulated:disk: interrupted before all was done");
    assertThat(record()).hasContent("shutdown");
  }

  @Test
  void anInterruptedCopyShutsTheDiskDownAndLeavesNoFile() throws Exception {
    Process gatun = start("nvme copy %s %s".formatted(device(), folder.resolve("output")));
    while (!Files.exists(folder.resolve(".output.part"))) {
      assertThat(gatun.isAlive()).isTrue();
      Thread.onSpinWait();
    }
    signal(gatun, "INT");
    assertThat(gatun.waitFor()).isEqualTo(130);
    assertThat(errors(gatun))
        .containsExactly("gatun: simulated:disk: interrupted before all was done");
    assertThat(record()).hasContent("shutdown");
    assertThat(folder).isDirectoryNotContaining("glob:**output*");
  }

  @Test
  void aWriteThatWaitsForItsInputShutsTheDiskDownToo() throws Exception {
    Process gatun = write();
    OutputStream data = gatun.getOutputStream();
    data.write(new byte[5 * MIB]);
    data.flush();
    // Less than 1 MiB is in the pipe, so it has written two chunks of 2 MiB, and waits for the rest
    // of the third: no look at the wish is ahead of it.
    signal(gatun, "TERM");
    assertThat(gatun.waitFor()).isEqualTo(143);
    assertThat(errors(gatun)).isEmpty();
    assertThat(record()).hasContent("shutdown");
  }

  private CommandLineRun run(String command) {
    Path output = folder.resolve("output");
    return CommandLineRun.line(
        switch (command) {
          case "read" -> "nvme read --device %s --output %s".formatted(device(), output);
          case "write" ->
              "nvme write --yes --device %s --length 16G --input /dev/zero".formatted(device());
          case "copy" -> "nvme copy %s %s".formatted(device(), output);
          default -> "nvme perf --device %s --seconds 60 --queues 2".formatted(device());
        });
  }

  /** Writes its standard input to a disk that is larger than what will come. */
  private Process write() throws IOException {
    return start("nvme write --yes --length 16G --input - --device " + device());
  }

  private static Process start(String line) throws IOException {
    // A shell without job control has its background jobs ignore SIGINT, and that is inherited.
    Stream<String> java =
        Stream.of(
            "env",
            "--default-signal=INT",
            Path.of(System.getProperty("java.home"), "bin/java").toString(),
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            System.getProperty("java.class.path"),
            Gatun.class.getName());
    return new ProcessBuilder(Stream.concat(java, Stream.of(line.split(" "))).toList()).start();
  }

  private static void signal(Process process, String signal) throws Exception {
    assertThat(
            new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid()))
                .start()
                .waitFor())
        .isZero();
  }

  private static List<String> errors(Process ended) throws IOException {
    byte[] all = ended.getErrorStream().readAllBytes();
    return new String(all, StandardCharsets.UTF_8)
        .lines()
        .filter(line -> !line.startsWith("write:") && !line.startsWith("copy:"))
        .toList();
  }

  private Path record() {
    return folder.resolve("record");
  }

  private String device() {
    return RecordedBackend.name(record()).toString();
  }
}
