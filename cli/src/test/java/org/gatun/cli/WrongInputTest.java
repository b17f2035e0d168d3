package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever is wrong: one line that says so, an exit status that means it, and nothing written. */
@Timeout(60)
class WrongInputTest {
  private static final int DISK_SIZE = 1 << 20;

  @TempDir private Path folder;
  private Path image;
  private byte[] content;

  @BeforeEach
  void makeDisk() throws IOException {
    image = folder.resolve("disk.img");
    content = new byte[DISK_SIZE];
    new Random(1).nextBytes(content);
    Files.write(image, content);
  }

  @Test
  void missingDevice() {
    CommandLineRun.of("nvme", "identify", "--device", "vfio:ffff:00:1f.7")
        .expectFailure(ExitCode.UNAVAILABLE, "vfio:ffff:00:1f.7", "gatun list");
    CommandLineRun.of("show", "vfio:ffff:00:1f.7")
        .expectFailure(ExitCode.UNAVAILABLE, "vfio:ffff:00:1f.7", "gatun list");
    CommandLineRun.of("bind", "ffff:00:1f.7")
        .expectFailure(ExitCode.UNAVAILABLE, "ffff:00:1f.7", "gatun list");
  }

  @Test
  void nonsenseForADevice() {
    CommandLineRun.of("nvme", "identify", "--device", "disk")
        .expectFailure(ExitCode.USAGE, "'disk' has no scheme", "simulated:nvme");
    CommandLineRun.of("nvme", "identify", "--device", "usb:1")
        .expectFailure(ExitCode.UNAVAILABLE, "no backend for 'usb'", "simulated, sysfs, vfio");
    CommandLineRun.of("nvme", "identify", "--device", "simulated:floppy")
        .expectFailure(ExitCode.USAGE, "no simulated model 'floppy'", "edu, nvme");
    CommandLineRun.of("nvme", "identify", "--device", "simulated:nvme,colour=red")
        .expectFailure(ExitCode.USAGE, "'colour'", "size=");
    CommandLineRun.of("bind", "nowhere")
        .expectFailure(ExitCode.USAGE, "'nowhere' is not a PCI address", "0000:00:04.0");
  }

  @Test
  void anotherDeviceThanTheDriverDrives() {
    CommandLineRun.of("nvme", "identify", "--device", "simulated:edu")
        .expectFailure(ExitCode.FAILED, "simulated:edu");
    CommandLineRun.of("edu", "factorial", "--device", "simulated:nvme", "3")
        .expectFailure(ExitCode.FAILED, "simulated:nvme");
  }

  @Test
  void offsetPastTheEnd() throws IOException {
    read("--offset", "2M").expectFailure(ExitCode.USAGE, "2097152", "past the end", "1048576");
    read("--offset", "512K", "--length", "513K")
        .expectFailure(ExitCode.USAGE, "past the end", "1048576");
    write(new byte[1024], "--offset", "1M").expectFailure(ExitCode.USAGE, "past the end");
    expectNothingWritten();
  }

  @Test
  void lengthThatIsNoMultipleOfTheBlock() throws IOException {
    read("--length", "1000").expectFailure(ExitCode.USAGE, "1000", "multiples of the block", "512");
    read("--offset", "100", "--length", "512")
        .expectFailure(ExitCode.USAGE, "100", "multiples of the block", "512");
    write(new byte[1000]).expectFailure(ExitCode.USAGE, "1000", "multiples of the block", "512");
    expectNothingWritten();
  }

  @Test
  void writeWithoutYes() throws IOException {
    Path input = folder.resolve("input");
    Files.write(input, new byte[512]);
    CommandLineRun.of("nvme", "write", "--device", device(), "--input", input.toString())
        .expectFailure(ExitCode.USAGE, "--yes", "nothing was written");
    CommandLineRun.of("nvme", "perf", "--device", device(), "--pattern", "randwrite")
        .expectFailure(ExitCode.USAGE, "--yes", "nothing was written");
    expectNothingWritten();
  }

  @Test
  void inputThatIsNotThereOrTooShort() throws IOException {
    CommandLineRun.of(
            "nvme", "write", "--yes", "--device", device(), "--input", folder + "/missing")
        .expectFailure(ExitCode.FAILED, "missing: no such file");
    write(new byte[512], "--length", "1K").expectFailure(ExitCode.USAGE, "512", "1024");
    expectNothingWritten();
  }

  @Test
  void outputIsNotReplacedBeforeThereIsSomethingToRead() throws IOException {
    Path output = folder.resolve("output");
    Files.writeString(output, "precious");

    read("--offset", "2M").expectFailure(ExitCode.USAGE, "past the end");
    assertThat(output).hasContent("precious");

    CommandLineRun.of(
            "nvme",
            "read",
            "--device",
            device() + ",fault=unknown-command-id",
            "--output",
            output.toString())
        .expectFailure(ExitCode.FAILED, "not in flight");
    assertThat(output).hasContent("precious");
    assertThat(folder).isDirectoryNotContaining("glob:**.part");
  }

  @Test
  void outputThatIsTheDiskItselfDoesNotDestroyIt() throws IOException {
    CommandLineRun.of("nvme", "read", "--device", device(), "--output", image.toString())
        .expectSuccess();
    expectNothingWritten();
  }

  @Test
  void inputWithoutASizeNeedsALength() throws IOException {
    CommandLineRun.of("nvme", "write", "--yes", "--device", device(), "--input", "/dev/zero")
        .expectFailure(ExitCode.USAGE, "--length", "nothing was written");
    CommandLineRun.of("nvme", "write", "--yes", "--device", device(), "--input", "-")
        .expectFailure(ExitCode.USAGE, "--length", "nothing was written");
    expectNothingWritten();
  }

  @Test
  void imageFileThatIsTruncated() throws IOException {
    Files.write(image, new byte[1000]);
    CommandLineRun.of("nvme", "identify", "--device", device())
        .expectFailure(ExitCode.UNAVAILABLE, "disk.img", "512");
    assertThat(Files.size(image)).isEqualTo(1000);
  }

  @Test
  void imageFileThatIsMissing() {
    CommandLineRun.of("nvme", "identify", "--device", "simulated:nvme,file=" + folder + "/none")
        .expectFailure(ExitCode.UNAVAILABLE, folder + "/none");
  }

  @ParameterizedTest
  @CsvSource({
    "all-ones, all ones",
    "never-ready, ready",
    "unknown-command-id, not in flight",
    "fatal, it reported a fatal error"
  })
  void controllerThatMisbehaves(String fault, String mentioned) throws IOException {
    CommandLineRun.of(
            "nvme",
            "read",
            "--device",
            device() + ",fault=" + fault,
            "--output",
            folder.resolve("output").toString())
        .expectFailure(ExitCode.FAILED, mentioned, "simulated:nvme,");
    expectNothingWritten();
  }

  @Test
  void loadThatDoesNotFit() {
    perf("--block-size", "100").expectFailure(ExitCode.USAGE, "--block-size", "512");
    perf("--block-size", "1G").expectFailure(ExitCode.USAGE, "--block-size");
    perf("--queue-depth", "0").expectFailure(ExitCode.USAGE, "--queue-depth");
    perf("--queue-depth", "1000000").expectFailure(ExitCode.USAGE, "queue pairs");
    perf("--queues", "10000").expectFailure(ExitCode.USAGE, "queue pairs");
    perf("--seconds", "-1").expectFailure(ExitCode.USAGE, "--seconds");
    perf("--pattern", "sideways").expectFailure(ExitCode.USAGE, "sideways", "RANDREAD");
    perf("--namespace", "7").expectFailure(ExitCode.USAGE, "7");
  }

  /** 0 is none, and 0xffffffff all of them, which format loses only with --all. */
  @ParameterizedTest
  @ValueSource(strings = {"0", "-1", "0xffffffff", "4294967295", "4294967296", "first"})
  void numberOfNoNamespace(String id) {
    for (String command :
        List.of(
            "nvme format --yes --device simulated:nvme,namespaces=2 --namespace",
            "nvme read --output - --device simulated:nvme --namespace",
            "nvme perf --device simulated:nvme --namespace",
            "nvme copy simulated:nvme simulated:nvme --yes --source-namespace",
            "nvme copy simulated:nvme simulated:nvme --yes --target-namespace")) {
      CommandLineRun.line(command + "=" + id)
          .expectFailure(
              ExitCode.USAGE,
              command.substring(command.lastIndexOf("--")),
              "'" + id + "' is not the number of a namespace",
              "1 to 4294967294");
    }
  }

  @Test
  void numberOfANamespace() {
    for (String id : List.of("0xfffffffe", "4294967294")) {
      CommandLineRun.line("nvme perf --device simulated:nvme --namespace " + id)
          .expectFailure(ExitCode.USAGE, "no namespace 4294967294");
    }
    CommandLineRun.line("nvme format --yes --device simulated:nvme --namespace 0x1")
        .expectSuccess();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--root /",
        "--dma 1M",
        "--heap 64M",
        "--cpu 1",
        "--memory 512M",
        "--without user"
      })
  void optionsOfAProcessForAGuestThatHasNone(String option) {
    run("guest run --in-process --module-path x --module x --device simulated:edu", option)
        .expectFailure(
            ExitCode.USAGE, option.substring(0, option.indexOf(' ')), "for a process of its own");
  }

  @Test
  void stackTraceOnlyWhenAskedFor() {
    CommandLineRun run =
        CommandLineRun.of("nvme", "identify", "--verbose", "--device", "simulated:edu");
    assertThat(run.err()).startsWith("gatun: ").contains("\tat org.gatun.driver.nvme");
    assertThat(run.status()).isEqualTo(ExitCode.FAILED);
  }

  private CommandLineRun perf(String... options) {
    return run("nvme perf --device " + device(), options);
  }

  private CommandLineRun read(String... options) {
    return run("nvme read --device " + device() + " --output " + folder.resolve("output"), options);
  }

  private CommandLineRun write(byte[] data, String... options) throws IOException {
    Path input = folder.resolve("input");
    Files.write(input, data);
    return run("nvme write --yes --device " + device() + " --input " + input, options);
  }

  private static CommandLineRun run(String command, String... options) {
    String[] words = (command + " " + String.join(" ", options)).strip().split(" ");
    return CommandLineRun.of(words);
  }

  private String device() {
    return "simulated:nvme,file=" + image;
  }

  private void expectNothingWritten() throws IOException {
    assertThat(Files.readAllBytes(image)).isEqualTo(content);
  }
}
