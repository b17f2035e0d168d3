package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A device is served by one process, and used by another. */
@Timeout(120)
class ExportTest {
  @TempDir private Path folder;

  @ParameterizedTest
  @CsvSource({"INT, 130", "TERM, 143"})
  void whatIsServedIsUsedLikeAnyDevice(String signal, int status) throws Exception {
    Process server = serve("simulated:edu");
    try {
      String device = "vfio-user:" + socket();
      assertThat(CommandLineRun.of("list", device).expectSuccess().out()).contains("1234:11e8");
      assertThat(
              CommandLineRun.of("show", device, "--json")
                  .expectSuccess()
                  .json()
                  .at("/bars/0/size")
                  .asLong())
          .isEqualTo(1 << 20);
      for (String completion : List.of("poll", "intx", "msi")) {
        assertThat(
                CommandLineRun.of(
                        "edu", "factorial", "--device", device, "--completion", completion, "12")
                    .expectSuccess()
                    .out())
            .isEqualTo("12! = 479001600\n");
      }
      kill(server, signal);
      assertThat(server.waitFor()).isEqualTo(status);
      assertThat(server.errorReader().lines()).isEmpty();
      assertThat(socket()).doesNotExist();
    } finally {
      server.destroyForcibly();
    }
  }

  @Test
  void aDiskKeepsItsContentWhileOneClientComesAfterTheOther() throws Exception {
    Process server = serve("simulated:nvme,size=4M");
    try {
      String device = "vfio-user:" + socket();
      Path data =
          Files.write(
              folder.resolve("data"), Arrays.copyOf(new byte[] {1, 2, 3, 4, 5, 6, 7, 8}, 512));
      CommandLineRun.of("nvme", "write", "--device", device, "--input", data.toString(), "--yes")
          .expectSuccess();
      Path back = folder.resolve("back");
      CommandLineRun.of(
              "nvme", "read", "--device", device, "--output", back.toString(), "--length", "512")
          .expectSuccess();
      assertThat(Files.readAllBytes(back)).startsWith(1, 2, 3, 4, 5, 6, 7, 8);
    } finally {
      server.destroyForcibly();
    }
  }

  @Test
  void whatASocketCannotBeMadeOverIsLeftAlone() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "precious");
    CommandLineRun.of("export", "simulated:edu", "--socket", file.toString())
        .expectFailure(ExitCode.UNAVAILABLE, "simulated:edu", "can't be served", "file");
    assertThat(file).hasContent("precious");
  }

  @Test
  void withoutAServerThereIsNoDevice() {
    CommandLineRun.of("list", "vfio-user:" + socket())
        .expectFailure(ExitCode.UNAVAILABLE, "vfio-user:", "gatun export");
  }

  private Path socket() {
    return folder.resolve("device.sock");
  }

  private Process serve(String device) throws IOException {
    List<String> command = new ArrayList<>();
    // A shell without job control has its background jobs ignore SIGINT, and that is inherited.
    command.addAll(List.of("env", "--default-signal=INT"));
    command.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
    command.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    command.add("--enable-native-access=ALL-UNNAMED");
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Gatun.class.getName()));
    command.addAll(List.of("export", device, "--socket", socket().toString()));
    Process server = new ProcessBuilder(command).start();
    BufferedReader out = server.inputReader(StandardCharsets.UTF_8);
    assertThat(out.readLine()).isEqualTo(device + ": served at " + socket());
    return server;
  }

  private static void kill(Process process, String signal) throws Exception {
    assertThat(
            new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid()))
                .start()
                .waitFor())
        .isZero();
  }
}
