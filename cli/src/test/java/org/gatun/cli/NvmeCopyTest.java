package org.gatun.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.lang.foreign.Arena;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Random;
import org.gatun.pci.DeviceName;
import org.gatun.simulated.fault.Effect;
import org.gatun.simulated.fault.Fault;
import org.gatun.simulated.fault.Point;
import org.gatun.specs.nvme.NvmeRegisters;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code gatun nvme copy}: what is at the other end afterwards. */
@Timeout(120)
class NvmeCopyTest {
  private static final int MIB = 1 << 20;

  /** Neither a multiple of what is copied at a time, nor of 4096. */
  private static final int LENGTH = 9 * MIB - 512;

  @TempDir private Path folder;
  private Path image;
  private Path data;
  private byte[] content;

  @BeforeEach
  void makeDisk() throws IOException {
    image = folder.resolve("disk.img");
    data = folder.resolve("data");
    content = new byte[16 * MIB];
    new Random(7).nextBytes(content);
    Files.write(image, content);
  }

  @ParameterizedTest
  @CsvSource({"poll, 512K", "poll, 8K", "interrupt, 512K"})
  void fileToDiskAndBack(String completion, String mdts) throws IOException {
    byte[] random = new byte[LENGTH];
    new Random(8).nextBytes(random);
    Files.write(data, random);
    String options = " --json --verify --completion " + completion;
    String disk = disk() + ",mdts=" + mdts;

    JsonNode written =
        copy(data, disk, "--target-offset 3M --yes" + options).expectSuccess().json();
    assertThat(written.at("/bytes").asLong()).isEqualTo(LENGTH);
    assertThat(written.at("/verified").asBoolean()).isTrue();
    assertThat(written.at("/mebibytesPerSecond").asDouble()).isPositive();
    byte[] expected = content.clone();
    System.arraycopy(random, 0, expected, 3 * MIB, LENGTH);
    assertThat(Arrays.mismatch(Files.readAllBytes(image), expected)).isEqualTo(-1);

    Path back = folder.resolve("back");
    copy(disk, back, "--source-offset 3M --length " + LENGTH + options).expectSuccess();
    assertThat(Files.mismatch(back, data)).isEqualTo(-1);
  }

  /** Fewer transfers fit into them than a copy would like to have in flight. */
  @ParameterizedTest
  @ValueSource(ints = {2, 8, 16})
  void diskWithShortQueues(int entries) throws IOException {
    Files.write(data, content);
    DeviceName disk = RecordedBackend.name(folder.resolve("record"));
    RecordedBackend.next(
        Fault.at(Point.REGISTER_READ, new Effect.Force(0xffff, entries - 1))
            .matching(Fault.register(0, NvmeRegisters.CAP)));
    copy(data, disk, "--yes --verify --length 4M").expectSuccess();
  }

  @Test
  void partOfAFile() throws IOException {
    Files.write(data, content);
    Files.write(image, new byte[MIB]);
    copy(data, disk(), "--source-offset 1 --length 1K --target-offset 4K --yes").expectSuccess();
    byte[] expected = new byte[MIB];
    System.arraycopy(content, 1, expected, 4096, 1024);
    assertThat(image).hasBinaryContent(expected);
  }

  @Test
  void toAnotherDiskWithOtherBlocks() throws IOException {
    Path other = folder.resolve("other.img");
    Files.write(other, new byte[16 * MIB]);
    CommandLineRun run =
        copy(disk(), disk(other) + ",block=4096,mdts=64K", "--source-offset 1M --yes --verify");
    assertThat(run.expectSuccess().out())
        .matches("15728640 bytes copied and verified in [0-9.]+ s: [0-9.]+ MiB/s\n");
    byte[] expected = Arrays.copyOf(Arrays.copyOfRange(content, MIB, 16 * MIB), 16 * MIB);
    assertThat(Arrays.mismatch(Files.readAllBytes(other), expected)).isEqualTo(-1);
  }

  @Test
  void toAnotherPartOfTheSameNamespace() throws IOException {
    copy(disk(), disk(), "--length 8M --target-offset 8M --yes --verify").expectSuccess();
    System.arraycopy(content, 0, content, 8 * MIB, 8 * MIB);
    assertThat(Arrays.mismatch(Files.readAllBytes(image), content)).isEqualTo(-1);

    copy(disk(), disk(), "--length 8M --target-offset 1M --yes")
        .expectFailure(ExitCode.USAGE, "overlap", "namespace 1", "nothing was written");
    assertThat(Arrays.mismatch(Files.readAllBytes(image), content)).isEqualTo(-1);
  }

  @Test
  void toAnotherNamespaceOfTheSameDevice() {
    String disk = "simulated:nvme,size=4M,namespaces=2";
    copy(disk, disk, "--source-namespace 2 --yes --verify").expectSuccess();
  }

  @Test
  void zerosAreHoles() throws IOException {
    Arrays.fill(content, MIB, 16 * MIB, (byte) 0);
    content[8 * MIB] = 1;
    Files.write(image, content);
    copy(disk(), data, "--verify").expectSuccess();
    assertThat(Files.mismatch(image, data)).isEqualTo(-1);
    assertThat((Long) Files.getAttribute(data, "unix:size")).isEqualTo(16 * MIB);
  }

  @Test
  void theFileIsReplacedOnlyByAWholeCopy() throws IOException {
    Files.writeString(data, "precious");
    copy(disk() + ",fault=hold,fault-after=20", data, "").expectFailure(ExitCode.FAILED, "reading");
    assertThat(data).hasContent("precious");
    assertThat(folder).isDirectoryNotContaining("glob:**.part");
  }

  @ParameterizedTest
  @CsvSource({
    "unknown-command-id, not in flight",
    "fatal, it reported a fatal error",
    "all-ones, all ones"
  })
  void deviceThatMisbehaves(String fault, String mentioned) throws IOException {
    Files.write(data, content);
    copy(data, disk() + ",fault-after=20,fault=" + fault, "--yes")
        .expectFailure(ExitCode.FAILED, mentioned, "simulated:nvme,");
  }

  @Test
  void overwritesNoNamespaceWithoutYes() throws IOException {
    Files.write(data, new byte[MIB]);
    copy(data, disk(), "")
        .expectFailure(ExitCode.USAGE, "namespace 1 of " + disk(), "--yes", "nothing was written");
    copy(disk(), disk(), "--target-namespace 2")
        .expectFailure(ExitCode.USAGE, "namespace 2 of " + disk(), "--yes", "nothing was written");
    expectNothingWritten();
  }

  @Test
  void whatDoesNotFit() throws IOException {
    Files.write(data, new byte[MIB]);
    copy(data, disk(), "--yes --target-offset 16M")
        .expectFailure(ExitCode.USAGE, disk(), "past the end", "16777216");
    copy(data, disk(), "--yes --length 2M")
        .expectFailure(ExitCode.USAGE, "data has 1048576 bytes", "length 2097152");
    copy(data, disk(), "--yes --source-offset 2M")
        .expectFailure(ExitCode.USAGE, "data has 1048576 bytes", "offset 2097152");
    copy(data, disk(), "--yes --length 1000")
        .expectFailure(ExitCode.USAGE, "multiples of the block", "512");
    copy(disk(), "simulated:nvme,block=4096", "--yes --length 512")
        .expectFailure(ExitCode.USAGE, "multiples of the block", "4096");
    copy(disk(), data, "--source-namespace 2").expectFailure(ExitCode.USAGE, "no namespace 2");
    expectNothingWritten();
  }

  @Test
  void whatIsNoDiskAndNoFile() throws IOException {
    Files.write(data, new byte[MIB]);
    copy(data, folder.resolve("other"), "").expectFailure(ExitCode.USAGE, "are files", "cp");
    copy(data, "vfoi:0000:00:04.0", "--yes")
        .expectFailure(ExitCode.UNAVAILABLE, "no backend for 'vfoi'");
    copy(data, "simulated:edu", "--yes").expectFailure(ExitCode.FAILED, "no NVMe controller");
    copy("/dev/zero", disk(), "--yes --length 1M")
        .expectFailure(ExitCode.USAGE, "/dev/zero", "nvme write --input");
    copy(disk(), "/dev/null", "").expectFailure(ExitCode.USAGE, "/dev/null", "nvme read --output");
    copy(folder.resolve("none"), disk(), "--yes").expectFailure(ExitCode.FAILED, "no such file");
    copy(disk(), data, "--target-offset 1M")
        .expectFailure(ExitCode.USAGE, "--target-offset", "for a device");
    copy(data, disk(), "--yes --source-namespace 1")
        .expectFailure(ExitCode.USAGE, "--source-namespace", "for a device");
    expectNothingWritten();
    assertThat(data).hasBinaryContent(new byte[MIB]);
  }

  /** What a disk returns can be wrong, once: of the writes to memory, one is of data. */
  @Test
  void verifyFindsWhatWasReadWrongly() throws IOException {
    Fault flip = Fault.at(Point.DMA_WRITE, new Effect.Flip(1)).times(1);
    CommandLineRun run;
    int skipped = 0;
    do {
      Files.deleteIfExists(data);
      RecordedBackend.next(flip.after(skipped++));
      run = copy(RecordedBackend.name(folder.resolve("record")), data, "--length 1M --verify");
    } while (!run.err().contains("differs") && skipped < 100);
    run.expectFailure(ExitCode.FAILED, "data differs from recorded:", "copy again");
    assertThat(data).doesNotExist();
  }

  /** Whichever chunk it is in, and whichever is seen first. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 4095, 4096, 300_000, MIB - 1})
  void theFirstMismatchIsFound(int position) throws IOException {
    byte[] original = Arrays.copyOf(content, MIB);
    byte[] changed = original.clone();
    changed[position] ^= 1;
    changed[MIB - 1] ^= 2;
    Files.write(data, original);
    Files.write(image, changed);
    int chunk = 4096;
    try (FileChannel one = FileChannel.open(data, StandardOpenOption.READ);
        FileChannel other = FileChannel.open(image, StandardOpenOption.READ);
        Progress progress = new Progress(new PrintWriter(Writer.nullWriter()), "verify", MIB);
        Arena arena = Arena.ofConfined()) {
      long size = (long) chunk * NvmeCopy.SLOTS;
      NvmeCopy copy =
          new NvmeCopy(
              new CopyFileEnd("one", one, 0, arena.allocate(size), chunk),
              new CopyFileEnd("other", other, 0, arena.allocate(size), chunk),
              MIB,
              chunk,
              () -> {});
      assertThat(copy.mismatch(progress)).isEqualTo(position);
    }
  }

  private CommandLineRun copy(Object source, Object target, String options) {
    return CommandLineRun.line("nvme copy %s %s %s".formatted(source, target, options));
  }

  private String disk() {
    return disk(image);
  }

  private static String disk(Path file) {
    return "simulated:nvme,file=" + file;
  }

  private void expectNothingWritten() throws IOException {
    assertThat(Arrays.mismatch(Files.readAllBytes(image), content)).isEqualTo(-1);
  }
}
