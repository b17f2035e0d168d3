package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** {@code gatun nvme list}. */
@Timeout(60)
class NvmeListTest {
  private static final String DISK = "simulated:nvme,size=4M,namespaces=2,serial=ABC";
  private static final String BROKEN = "simulated:nvme,fault=never-ready";
  private static final String MISSING = "vfio:ffff:00:1f.7";

  @Test
  void scansForControllers() {
    assertThat(CommandLineRun.line("nvme list").expectSuccess().out()).startsWith("DEVICE  ");
    assertThat(CommandLineRun.line("nvme list --json").expectSuccess().json().isArray()).isTrue();
  }

  @Test
  void aLineForEachNamespace() {
    CommandLineRun run = CommandLineRun.line("nvme list", DISK).expectSuccess();
    assertThat(run.out().lines().map(line -> line.split(" {2,}")))
        .containsExactly(
            new String[] {
              "DEVICE", "MODEL", "SERIAL", "NAMESPACE", "SIZE", "BLOCK SIZE", "FORMATS"
            },
            new String[] {DISK, "Gatun simulated NVMe", "ABC", "1", "4 MiB", "512", "512, 4096"},
            new String[] {DISK, "Gatun simulated NVMe", "ABC", "2", "4 MiB", "512", "512, 4096"});
    JsonNode json = CommandLineRun.line("nvme list --json", DISK).expectSuccess().json();
    assertThat(json.at("/0/serial").asText()).isEqualTo("ABC");
    assertThat(json.at("/0/namespaces/1/id").asInt()).isEqualTo(2);
    assertThat(json.at("/0/namespaces/1/sizeBytes").asInt()).isEqualTo(4 << 20);
    assertThat(json.at("/0/namespaces/1/formats/1/blockSize").asInt()).isEqualTo(4096);
  }

  @Test
  void theReasonForEachThatCanNotBeOpened() {
    CommandLineRun run = CommandLineRun.line("nvme list", MISSING, DISK, BROKEN);
    assertThat(run.status()).isEqualTo(ExitCode.UNAVAILABLE);
    assertThat(run.out().lines().skip(5))
        .satisfiesExactly(
            line -> assertThat(line).startsWith("! " + MISSING + ": ").contains("gatun list"),
            line -> assertThat(line).startsWith("! " + BROKEN + ": ").contains("ready"));
    assertThat(run.err()).isEmpty();

    JsonNode json = CommandLineRun.line("nvme list --json", BROKEN, DISK).json();
    assertThat(json.at("/0/device").asText()).isEqualTo(BROKEN);
    assertThat(json.at("/0/problem").asText()).contains("ready");
    assertThat(json.at("/1/model").asText()).isEqualTo("Gatun simulated NVMe");
  }

  @Test
  void anotherDeviceAndNonsense() {
    CommandLineRun edu = CommandLineRun.line("nvme list simulated:edu");
    assertThat(edu.status()).isEqualTo(ExitCode.FAILED);
    assertThat(edu.out()).contains("! simulated:edu: is no NVMe controller");
    CommandLineRun.line("nvme list simulated:floppy")
        .expectFailure(ExitCode.USAGE, "no simulated model 'floppy'");
    CommandLineRun.line("nvme list disk").expectFailure(ExitCode.USAGE, "'disk' has no scheme");
  }
}
