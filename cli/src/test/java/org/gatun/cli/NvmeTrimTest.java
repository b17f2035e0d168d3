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

/** {@code gatun nvme trim}. */
@Timeout(60)
class NvmeTrimTest {
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
  void theRangeAndNothingElseIsLost() throws IOException {
    assertThat(trim("--offset 64K --length 512 --yes").expectSuccess().out())
        .isEqualTo("512 bytes trimmed at offset 65536; a trimmed block reads as zeros\n");
    Arrays.fill(content, 65536, 65536 + 512, (byte) 0);
    expectContent();

    JsonNode json = trim("--offset 512K --yes --json").expectSuccess().json();
    assertThat(json.at("/offset").asInt()).isEqualTo(SIZE / 2);
    assertThat(json.at("/length").asInt()).isEqualTo(SIZE / 2);
    assertThat(json.at("/readsAs").asText()).isEqualTo("zeros");
    Arrays.fill(content, SIZE / 2, SIZE, (byte) 0);
    expectContent();
  }

  @Test
  void notWithoutYes() throws IOException {
    trim("--offset 64K --length 512")
        .expectFailure(
            ExitCode.USAGE,
            "512 bytes from offset 65536",
            "namespace 1 of " + disk(),
            "--yes",
            "nothing was trimmed");
    trim("--namespace 2").expectFailure(ExitCode.USAGE, "all from offset 0", "namespace 2");
    expectContent();
  }

  @Test
  void wrongRanges() throws IOException {
    trim("--yes --offset 100").expectFailure(ExitCode.USAGE, "100", "multiples of the block");
    trim("--yes --length 2M").expectFailure(ExitCode.USAGE, "past the end", "1048576");
    trim("--yes --namespace 2").expectFailure(ExitCode.USAGE, "no namespace 2");
    expectContent();
  }

  @Test
  void deviceThatFails() {
    CommandLineRun.line("nvme trim --yes --device", disk() + ",fault=fatal")
        .expectFailure(ExitCode.FAILED, "it reported a fatal error");
  }

  private CommandLineRun trim(String options) {
    return CommandLineRun.line("nvme trim --device " + disk() + " " + options);
  }

  private String disk() {
    return "simulated:nvme,file=" + image;
  }

  private void expectContent() throws IOException {
    assertThat(Arrays.mismatch(Files.readAllBytes(image), content)).isEqualTo(-1);
  }
}
