package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code gatun nvme format}. */
@Timeout(60)
class NvmeFormatTest {
  private static final int SIZE = 1 << 20;

  @TempDir private Path folder;
  private Path image;
  private final byte[] content = new byte[SIZE];

  @BeforeEach
  void makeDisk() throws IOException {
    image = folder.resolve("disk.img");
    Arrays.fill(content, (byte) 7);
    Files.write(image, content);
  }

  @Test
  void toTheFormatThatItHas() throws IOException {
    assertThat(format("--yes").expectSuccess().out())
        .isEqualTo(
            "namespace 1 formatted: 2048 blocks of 512 bytes; the old data may still be on the"
                + " media\n");
    assertThat(Files.readAllBytes(image)).containsOnly(0);
  }

  @ParameterizedTest
  @ValueSource(strings = {"512", "4096", "4K"})
  void toOtherBlocks(String size) throws IOException {
    JsonNode json =
        format("--yes --json --secure user-data --block-size " + size).expectSuccess().json();
    int bytes = size.equals("512") ? 512 : 4096;
    assertThat(json.at("/blockSize").asInt()).isEqualTo(bytes);
    assertThat(json.at("/blocks").asInt()).isEqualTo(SIZE / bytes);
    assertThat(json.at("/secure").asText()).isEqualTo("user-data");
    assertThat(Files.readAllBytes(image)).containsOnly(0);
  }

  @Test
  void allNamespaces() {
    CommandLineRun run =
        CommandLineRun.line("nvme format --all --yes --device simulated:nvme,namespaces=3");
    assertThat(run.expectSuccess().out()).startsWith("all namespaces formatted: ");
  }

  @Test
  void notWithoutYes() throws IOException {
    format("").expectFailure(ExitCode.USAGE, "namespace 1 of " + disk(), "--yes", "was formatted");
    format("--all").expectFailure(ExitCode.USAGE, "all namespaces of " + disk(), "--yes");
    expectNothingLost();
  }

  @Test
  void whatTheDiskCanNotDo() throws IOException {
    format("--yes --block-size 1K")
        .expectFailure(ExitCode.USAGE, "blocks of 1024 bytes", "but: 512, 4096", "nothing");
    format("--yes --secure crypto")
        .expectFailure(ExitCode.FAILED, "no cryptographic erase", "--secure user-data", "nothing");
    format("--yes --secure shred").expectFailure(ExitCode.USAGE, "shred", "user-data");
    format("--yes --namespace 2")
        .expectFailure(ExitCode.FAILED, "namespace 2", "Invalid Namespace");
    CommandLineRun.line("nvme format --yes --device simulated:edu")
        .expectFailure(ExitCode.FAILED, "no NVMe controller");
    expectNothingLost();
  }

  private CommandLineRun format(String options) {
    return CommandLineRun.line("nvme format --device " + disk() + " " + options);
  }

  private String disk() {
    return "simulated:nvme,file=" + image;
  }

  private void expectNothingLost() throws IOException {
    assertThat(Arrays.mismatch(Files.readAllBytes(image), content)).isEqualTo(-1);
  }
}
