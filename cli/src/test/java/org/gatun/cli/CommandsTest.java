package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the commands do, on simulated devices. */
@Timeout(120)
class CommandsTest {
  @TempDir private Path folder;

  @Test
  void listNeedsNoPrivileges() {
    CommandLineRun run = CommandLineRun.of("list").expectSuccess();
    assertThat(run.out()).startsWith("DEVICE");
    assertThat(CommandLineRun.of("list", "--json").expectSuccess().json().isArray()).isTrue();
  }

  @Test
  void showTellsBarsAndCapabilities() {
    JsonNode edu = CommandLineRun.of("show", "simulated:edu", "--json").expectSuccess().json();
    assertThat(edu.at("/vendor").asText()).isEqualTo("1234");
    assertThat(edu.at("/bars/0/size").asLong()).isEqualTo(1 << 20);
    assertThat(edu.at("/capabilities/0/name").asText()).isEqualTo("MSI");
    assertThat(edu.at("/faults")).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"poll", "intx", "msi"})
  void eduComputesFactorials(String completion) {
    CommandLineRun run =
        CommandLineRun.of(
            "edu", "factorial", "--device", "simulated:edu", "--completion", completion, "12");
    assertThat(run.expectSuccess().out()).isEqualTo("12! = 479001600\n");
  }

  @Test
  void identifyTellsNamespaces() {
    JsonNode disk =
        CommandLineRun.of(
                "nvme", "identify", "--device", "simulated:nvme,size=4M,block=4096", "--json")
            .expectSuccess()
            .json();
    assertThat(disk.at("/namespaces/0/blockSize").asInt()).isEqualTo(4096);
    assertThat(disk.at("/namespaces/0/blocks").asLong()).isEqualTo(1024);
    assertThat(disk.at("/model").asText()).isNotBlank();
  }

  @ParameterizedTest
  @CsvSource({"512, poll", "4096, poll", "512, interrupt", "4096, interrupt"})
  void whatIsWrittenIsReadBack(int block, String completion) throws IOException {
    Path image = folder.resolve("disk.img");
    String device = "simulated:nvme,size=16M,block=" + block + ",file=" + image;
    Files.write(image, new byte[16 << 20]);
    byte[] data = new byte[9 << 20];
    new Random(block).nextBytes(data);
    Path input = folder.resolve("input");
    Path output = folder.resolve("output");
    Files.write(input, data);

    CommandLineRun.of(
            "nvme",
            "write",
            "--yes",
            "--device",
            device,
            "--input",
            input.toString(),
            "--offset",
            "1M",
            "--completion",
            completion)
        .expectSuccess();
    CommandLineRun.of(
            "nvme",
            "read",
            "--device",
            device,
            "--output",
            output.toString(),
            "--offset",
            "1M",
            "--length",
            "9M",
            "--completion",
            completion)
        .expectSuccess();

    assertThat(Files.mismatch(input, output)).isEqualTo(-1);
    byte[] disk = Files.readAllBytes(image);
    assertThat(disk).startsWith(new byte[1 << 20]).endsWith(new byte[6 << 20]);
  }

  @ParameterizedTest
  @CsvSource({"randread, poll, 1", "read, interrupt, 2", "randwrite, poll, 2", "write, poll, 1"})
  void perfMeasures(String pattern, String completion, String queues) {
    JsonNode result =
        CommandLineRun.of(
                "nvme",
                "perf",
                "--device",
                "simulated:nvme,size=16M",
                "--pattern",
                pattern,
                "--completion",
                completion,
                "--queues",
                queues,
                "--queue-depth",
                "8",
                "--seconds",
                "0.2",
                "--yes",
                "--json")
            .expectSuccess()
            .json();
    assertThat(result.at("/iops").asDouble()).isPositive();
    double p50 = result.at("/latencyMicros/p50").asDouble();
    double p99 = result.at("/latencyMicros/p99").asDouble();
    assertThat(p50).isPositive().isLessThanOrEqualTo(p99);
    assertThat(p99).isLessThanOrEqualTo(result.at("/latencyMicros/p99.9").asDouble());
    assertThat(result.at("/allocatedBytesPerIo").asDouble()).isNotNegative();
    assertThat(result.at("/cpuMicrosPerIo").asDouble()).isPositive();
  }

  @Test
  void aSessionThatWasRecordedIsADevice() throws IOException {
    Path file = folder.resolve("session");
    String[] read = {
      "nvme", "read", "--length", "64K", "--output", folder.resolve("data").toString(), "--device"
    };
    CommandLineRun.of(with(read, "simulated:nvme,size=1M", "--record", file.toString()))
        .expectSuccess();
    String replay = "simulated:replay,file=" + file;

    CommandLineRun.of(with(read, replay)).expectSuccess();
    assertThat(folder.resolve("data")).hasSize(64 << 10);
    CommandLineRun.of(with(read, replay, "--offset", "64K"))
        .expectFailure(
            ExitCode.FAILED, "replay", "expected driver-write 0x", "but the driver wrote");

    Files.writeString(file, Files.readString(file).replace("read32", "read23"));
    CommandLineRun.of("nvme", "identify", "--device", replay)
        .expectFailure(ExitCode.UNAVAILABLE, "line 11: 'read23 config");
  }

  private static String[] with(String[] arguments, String... more) {
    return Stream.concat(Stream.of(arguments), Stream.of(more)).toArray(String[]::new);
  }

  @Test
  void demoSaysThatItsGuestIsMissing() {
    // It is beside the modules, and these are classes: DemoIT has both.
    CommandLineRun.of("demo")
        .expectFailure(ExitCode.FAILED, "the demo's guest is missing", "guests/demo-guest");
  }

  @Test
  void completionScriptNamesTheCommands() {
    assertThat(CommandLineRun.of("generate-completion").expectSuccess().out())
        .contains("identify", "--queue-depth");
  }
}
