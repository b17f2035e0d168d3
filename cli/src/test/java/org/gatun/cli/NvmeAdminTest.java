package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code gatun nvme log}, {@code features} and {@code passthrough}. */
@Timeout(60)
class NvmeAdminTest {
  @TempDir private Path folder;

  @Test
  void logListsThePagesThatThereAre() {
    assertThat(run("log").expectSuccess().out().lines().map(NvmeAdminTest::columns))
        .startsWith(
            List.of("PAGE", "NAME"), List.of("0x00", "supported"), List.of("0x01", "errors"))
        .contains(List.of("0x81", "sanitize"));
    JsonNode json = run("log --json").expectSuccess().json();
    assertThat(json.at("/2/page").asText()).isEqualTo("0x02");
    assertThat(json.at("/2/name").asText()).isEqualTo("smart");
  }

  @ParameterizedTest
  @CsvSource({
    "errors, none",
    "smart, temperature +20 °C.*",
    "2, temperature +20 °C.*",
    "firmware, 1 +1\\.0 +now",
    "changed-namespaces, none",
    "effects, I/O +0x01 +Write +blocks",
    "0x05, 'admin +0x80 +Format NVM +blocks, a namespace'",
    "SANITIZE, last sanitize +never sanitized"
  })
  void logPagesInWords(String page, String line) {
    assertThat(run("log --page " + page).expectSuccess().out().lines())
        .anyMatch(l -> l.matches(line));
  }

  @Test
  void logPagesByteByByte() throws IOException {
    CommandLineRun smart = run("log --page smart --raw").expectSuccess();
    assertThat(smart.out()).startsWith("00000000  00 25 01 64 0a 00 ").contains("\n*\n");
    CommandLineRun part = run("log --page smart --offset 112 --length 4").expectSuccess();
    assertThat(part.out().stripTrailing().replaceAll(" +", " "))
        .isEqualTo("00000070 01 00 00 00 |....|");
    JsonNode json = run("log --page smart --raw --length 8 --json").expectSuccess().json();
    assertThat(json.at("/hex").asText()).isEqualTo("002501640a000000");

    Path file = folder.resolve("page");
    assertThat(run("log --page smart --output " + file).expectSuccess().out()).isEmpty();
    assertThat(Files.readAllBytes(file)).hasSize(512).startsWith(0, 0x25, 0x01, 100, 10);
  }

  @Test
  void logPagesThatAreNotThere() {
    run("log --page 0xc0").expectFailure(ExitCode.FAILED, "no log page 0xc0", "gatun nvme log");
    run("log --page health").expectFailure(ExitCode.USAGE, "'health'", "smart, firmware");
    run("log --page 256").expectFailure(ExitCode.USAGE, "0 to 0xff", "0x100");
    run("log --page smart --length 3").expectFailure(ExitCode.USAGE, "multiples of 4", "3 bytes");
    run("log --page smart --length 1G").expectFailure(ExitCode.USAGE, "at most", "1073741824");
    run("log --page smart --namespace 1").expectFailure(ExitCode.FAILED, "Invalid Field");
  }

  @Test
  void featuresInWords() {
    assertThat(run("features").expectSuccess().out().lines().map(NvmeAdminTest::columns))
        .contains(
            List.of("FEATURE", "NAME", "VALUE", "MEANING"),
            List.of("0x04", "temperature-threshold", "0x00000157", "70 °C"),
            List.of("0x06", "write-cache", "0x00000001", "on"));
    JsonNode json = run("features --feature 7 --json").expectSuccess().json();
    assertThat(json).hasSize(1);
    assertThat(json.at("/0/name").asText()).isEqualTo("queues");
    assertThat(json.at("/0/meaning").asText()).isEqualTo("16 to submit, 16 to complete");
    JsonNode under =
        run("features --feature temperature-threshold --cdw11 0x100000 --json")
            .expectSuccess()
            .json();
    assertThat(under.at("/0/meaning").asText()).isEqualTo("none");
  }

  @Test
  void featuresAreSet() {
    assertThat(run("features --feature 4 --set 0x150 --yes").expectSuccess().out())
        .isEqualTo(
            "feature 0x04 (temperature-threshold) was set to 0x00000150 (63 °C) until the next"
                + " reset\n");
    JsonNode json =
        run("features --feature write-cache --set 0 --yes --json").expectSuccess().json();
    assertThat(json.at("/meaning").asText()).isEqualTo("off");
    assertThat(json.at("/saved").asBoolean()).isFalse();
  }

  @Test
  void featuresThatCanNotBe() {
    run("features --feature 4 --set 0x150")
        .expectFailure(ExitCode.USAGE, "feature 4 of simulated:nvme", "--yes", "nothing");
    run("features --feature 0xd").expectFailure(ExitCode.FAILED, "no feature 0x0d");
    run("features --feature 2 --set 9 --yes").expectFailure(ExitCode.FAILED, "0x02", "that value");
    run("features --feature queues --set 1 --yes").expectFailure(ExitCode.FAILED, "refused");
    run("features --feature 6 --set 0 --yes --save")
        .expectFailure(ExitCode.FAILED, "saved values", "without saving");
    run("features --select saved").expectFailure(ExitCode.FAILED, "saved values");
    run("features --select capabilities").expectFailure(ExitCode.FAILED, "capabilities");
    run("features --select last").expectFailure(ExitCode.USAGE, "last");
    run("features --set 1 --yes").expectFailure(ExitCode.USAGE, "--feature");
    run("features --save").expectFailure(ExitCode.USAGE, "--save", "--set");
    run("features --feature cache").expectFailure(ExitCode.USAGE, "'cache'", "write-cache");
    run("features --feature 6 --set one --yes").expectFailure(ExitCode.USAGE, "'one'", "0x50");
  }

  @Test
  void passthroughReads() throws IOException {
    assertThat(run("passthrough --opcode 6 --cdw10 1 --read 4K").expectSuccess().out())
        .startsWith("dword 0  0x00000000\ndword 1  0x00000000\n00000000  36 1b ")
        .contains("Gatun si");
    Path file = folder.resolve("identity");
    run("passthrough --admin --opcode 0x06 --cdw10 0x1 --read 4096 --output " + file)
        .expectSuccess();
    assertThat(Files.readAllBytes(file)).hasSize(4096).startsWith(0x36, 0x1b);
    JsonNode json =
        run("passthrough --opcode 0x0a --cdw10 4 --yes --json --timeout 5").expectSuccess().json();
    assertThat(json.at("/command").asText()).isEqualTo("Get Features");
    assertThat(json.at("/dword0").asText()).isEqualTo("0x00000157");
  }

  @Test
  void passthroughWritesAndReadsBlocks() throws IOException {
    Path image = folder.resolve("disk.img");
    Files.write(image, new byte[1 << 20]);
    byte[] data = new byte[1024];
    new Random(3).nextBytes(data);
    Path input = folder.resolve("input");
    Files.write(input, data);
    String disk =
        "nvme passthrough --io --nsid 1 --cdw10 4 --cdw12 1 --device simulated:nvme,file=";

    CommandLineRun.line(disk + image + " --opcode 1 --write " + input)
        .expectFailure(ExitCode.USAGE, "Write may change", "--yes", "nothing was sent");
    assertThat(Files.readAllBytes(image)).containsOnly(0);
    CommandLineRun.line(disk + image + " --opcode 1 --yes --write " + input).expectSuccess();
    assertThat(Arrays.copyOfRange(Files.readAllBytes(image), 2048, 3072)).isEqualTo(data);

    Path output = folder.resolve("output");
    CommandLineRun.line(disk + image + " --opcode 2 --read 1K --output " + output).expectSuccess();
    assertThat(output).hasBinaryContent(data);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--opcode 0x09 --cdw10 4 --cdw11 0x150",
        "--opcode 0x10",
        "--opcode 0x80 --nsid 1",
        "--opcode 0xc0",
        "--io --opcode 9 --nsid 1",
        "--io --opcode 6 --nsid 1"
      })
  void passthroughOfWhatMayChangeSomethingNeedsYes(String command) {
    run("passthrough " + command).expectFailure(ExitCode.USAGE, "--yes", "nothing was sent");
  }

  /** The controller would read or write at bus address 0. */
  @ParameterizedTest
  @CsvSource({
    "--opcode 0x06 --cdw10 1, Identify, --read",
    "--opcode 0x02 --cdw10 0x7f0002, Get Log Page, --read",
    "--opcode 0x0a --cdw10 4, Get Features, --read",
    "--opcode 0x0a --cdw10 4 --read 0, Get Features, --read",
    "--io --opcode 2 --nsid 1, Read, --read",
    "--io --opcode 5 --nsid 1, Compare, --write"
  })
  void passthroughWithoutMemoryForItsDataNeedsYes(String command, String name, String option) {
    run("passthrough " + command)
        .expectFailure(ExitCode.USAGE, name, "address 0", option, "--yes", "nothing was sent");
  }

  @Test
  void passthroughWithoutDataNeedsNoMemory() {
    run("passthrough --io --opcode 0 --nsid 1").expectSuccess();
  }

  @Test
  void passthroughOfWhatMakesNoSense() {
    run("passthrough").expectFailure(ExitCode.USAGE, "--opcode");
    run("passthrough --opcode 256 --yes").expectFailure(ExitCode.USAGE, "opcode", "0x100");
    run("passthrough --opcode 6 --read 3G").expectFailure(ExitCode.USAGE, "2 GiB");
    run("passthrough --opcode 6 --read 1M").expectFailure(ExitCode.USAGE, "at most 524288 bytes");
    run("passthrough --opcode 9 --read 4 --yes").expectFailure(ExitCode.USAGE, "opcode 09h");
    run("passthrough --opcode 6 --admin --io").expectFailure(ExitCode.USAGE, "--admin", "--io");
    run("passthrough --opcode 6 --timeout 0").expectFailure(ExitCode.USAGE, "--timeout");
    run("passthrough --opcode 6 --read 4K --write x").expectFailure(ExitCode.USAGE, "one way");
    run("passthrough --io --opcode 1 --yes --write " + folder + "/none")
        .expectFailure(ExitCode.FAILED, "none: no such file");
  }

  @Test
  void passthroughThatTheDeviceOrTheDriverRefuses() {
    run("passthrough --opcode 0xc0 --yes")
        .expectFailure(
            ExitCode.FAILED, "vendor specific Admin command C0h: Invalid Command Opcode");
    run("passthrough --io --opcode 2 --nsid 1 --cdw10 0xffffffff --read 512")
        .expectFailure(ExitCode.FAILED, "Read: LBA Out of Range");
    run("passthrough --opcode 0 --yes").expectFailure(ExitCode.FAILED, "refused", "the driver");
  }

  private static CommandLineRun run(String command) {
    return CommandLineRun.line("nvme " + command + " --device simulated:nvme");
  }

  private static List<String> columns(String line) {
    return List.of(line.split(" {2,}"));
  }
}
