package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the commands about policies say, on simulated devices. */
@Timeout(120)
class PolicyCommandsTest {
  @TempDir private Path folder;

  @Test
  void explainShowsFieldsMasksAndRules() {
    List<String> lines =
        CommandLineRun.of("policy", "explain", "simulated:specimen")
            .expectSuccess()
            .out()
            .lines()
            .toList();
    assertThat(lines.getFirst().split(" {2,}"))
        .containsExactly(
            "OFFSET", "BYTES", "FIELD", "OF", "SEEN", "READ", "WRITE", "A WRITE", "RULE");
    assertThat(lines.get(1).split(" {2,}"))
        .containsExactly(
            "0x000",
            "2",
            "Vendor ID",
            "header",
            "1234",
            "ffff",
            "0000",
            "dropped",
            "built-in, header");
    assertThat(lines)
        .anyMatch(l -> l.contains("hidden: reads as zero, not linked"))
        .anyMatch(l -> l.endsWith("default deny"));
  }

  @Test
  void explainTellsScriptsTheSame() throws IOException {
    Path config =
        write(
            """
            policies:
              - id: 1234:5bec
                permissive: true
            """);
    JsonNode strict =
        CommandLineRun.of("policy", "explain", "simulated:specimen", "--json")
            .expectSuccess()
            .json();
    JsonNode permissive =
        CommandLineRun.of(
                "policy", "explain", "simulated:specimen", "--config", config.toString(), "--json")
            .expectSuccess()
            .json();
    assertThat(strict).hasSameSizeAs(permissive);
    assertThat(field(strict, "Status").get("writeMask").asText()).isEqualTo("0000");
    assertThat(field(permissive, "Status").get("writeMask").asText()).isEqualTo("ffff");
    assertThat(field(permissive, "Status").get("rule").asText())
        .isEqualTo("built-in, header, permissive");
  }

  @Test
  void explainNeedsADeviceThatCanBeOpened() {
    CommandLineRun.of("policy", "explain", "vfio:ffff:00:1f.7")
        .expectFailure(ExitCode.UNAVAILABLE, "vfio:ffff:00:1f.7", "gatun list");
    CommandLineRun.of("policy", "explain", "usb:1")
        .expectFailure(ExitCode.UNAVAILABLE, "no backend for 'usb'");
    CommandLineRun.of("policy", "explain", "simulated:floppy")
        .expectFailure(ExitCode.USAGE, "no simulated model 'floppy'");
  }

  @ParameterizedTest
  @ValueSource(strings = {"explain simulated:edu --config", "check"})
  void errorsInTheFileAreLinesWithTheirPlace(String command) throws IOException {
    Path file = write("guests:\n  - name: g\n    devices: [x]\n    quoat: {}\n");
    CommandLineRun run = CommandLineRun.of(("policy " + command + " " + file).split(" "));
    assertThat(run.err().lines())
        .containsExactly(
            "gatun: "
                + file
                + ":3:15: guests[0].devices[0]: 'x' has no scheme: name a device like"
                + " vfio:0000:00:04.0 or simulated:nvme",
            "gatun: "
                + file
                + ":4:5: guests[0].quoat: there is no such field; there are name, devices, quota,"
                + " uids, gid, program");
    assertThat(run.out()).isEmpty();
    assertThat(run.status()).isEqualTo(ExitCode.USAGE);
  }

  @Test
  void checkShowsWhatEachGuestGets() throws IOException {
    Path file =
        write(
            """
            policies:
              - id: 1234:5bec
                show: [vendor-specific]
                vectors: 2
                bars: {0: [{offset: 0, length: 4K}], 1: []}
                accept: [missing-reset]
                on-release: quarantine
            guests:
              - name: one
                devices: [simulated:specimen]
                quota: {dma: 64M, mappings: 16}
              - name: two
                devices: [simulated:edu, simulated:nvme]
            """);
    CommandLineRun run = CommandLineRun.of("policy", "check", file.toString()).expectSuccess();
    assertThat(run.err()).isEmpty();
    assertThat(run.out().lines().map(line -> line.split(" {2,}(?=\\S)")).toList())
        .containsExactly(
            new String[] {"guest one: DMA memory of 64M in 16 buffers at most"},
            new String[] {
              "",
              "DEVICE",
              "ID",
              "POLICY",
              "CONFIG SPACE",
              "BARS",
              "VECTORS",
              "ACCEPTED",
              "ON RELEASE"
            },
            new String[] {
              "",
              "simulated:specimen",
              "1234:5bec",
              "1234:5bec",
              "show vendor-specific",
              "0: 0x0-0xfff; 1: none; others whole",
              "2",
              "missing-reset",
              "quarantine"
            },
            new String[] {"guest two: DMA memory of 1G in 1024 buffers at most"},
            new String[] {
              "",
              "DEVICE",
              "ID",
              "POLICY",
              "CONFIG SPACE",
              "BARS",
              "VECTORS",
              "ACCEPTED",
              "ON RELEASE"
            },
            new String[] {
              "", "simulated:edu", "1234:11e8", "-", "built-in rules", "all", "all", "-", "nothing"
            },
            new String[] {
              "", "simulated:nvme", "1b36:0010", "-", "built-in rules", "all", "all", "-", "keep"
            });
    JsonNode json =
        CommandLineRun.of("policy", "check", "--json", file.toString()).expectSuccess().json();
    assertThat(json.at("/0/policy").asText()).isEqualTo("1234:5bec");
    assertThat(json.at("/0/dmaBytes").asLong()).isEqualTo(64 << 20);
    assertThat(json.at("/1/policy").isNull()).isTrue();
    assertThat(json.findValuesAsText("onRelease")).containsExactly("quarantine", "nothing", "keep");
  }

  @Test
  void aDeviceThatIsNotThereIsAWarning() throws IOException {
    Path file =
        write(
            """
            policies:
              - device: vfio:ffff:00:1f.6
                permissive: true
            guests:
              - name: g
                devices: [vfio:ffff:00:1f.7]
            """);
    CommandLineRun run = CommandLineRun.of("policy", "check", file.toString());
    assertThat(run.status()).isEqualTo(ExitCode.OK);
    assertThat(run.err().lines())
        .satisfiesExactly(
            line ->
                assertThat(line)
                    .startsWith("warning: guest g: vfio:ffff:00:1f.7: ")
                    .contains("gatun list"),
            line ->
                assertThat(line)
                    .isEqualTo(
                        "warning: vfio:ffff:00:1f.6: it has a policy, and no guest gets it"));
  }

  @Test
  void aPolicyThatDoesNotFitItsDeviceIsAnError() throws IOException {
    Path file =
        write(
            """
            policies:
              - id: 1234:11e8
                quirks: ["0x6:2:0xffff"]
            guests:
              - name: g
                devices: [simulated:edu]
            """);
    for (String command : List.of("policy check", "broker run --config")) {
      CommandLineRun run = CommandLineRun.of((command + " " + file).split(" "));
      assertThat(run.err().lines())
          .singleElement()
          .asString()
          .startsWith("gatun: " + file + ": ")
          .contains("quirk 0x6:2:0xffff is on Status of header, which has a rule already");
      assertThat(run.status()).isEqualTo(ExitCode.USAGE);
    }
  }

  @Test
  void fileThatIsNotThere() {
    CommandLineRun.of("policy", "check", folder + "/none.yaml")
        .expectFailure(ExitCode.FAILED, "none.yaml: no such file");
    CommandLineRun.of("broker", "run", "--config", folder + "/none.yaml")
        .expectFailure(ExitCode.FAILED, "none.yaml: no such file");
  }

  private static JsonNode field(JsonNode ranges, String name) {
    return StreamSupport.stream(ranges.spliterator(), false)
        .filter(range -> range.get("field").asText().equals(name))
        .findFirst()
        .orElseThrow();
  }

  private Path write(String text) throws IOException {
    return Files.writeString(folder.resolve("policy.yaml"), text);
  }
}
