package org.gatun.simulated.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.io.Reader;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.simulated.SimulatedBackend;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files of recordings, also such as were made to do harm. */
class RecordingTest {
  private static final List<String> HEADER =
      List.of(
          "gatun-recording 1",
          "device vfio:0000:01:00.0",
          "config 256 = 00*256",
          "vectors INTX = 0",
          "vectors MSI = 0",
          "vectors MSIX = 0",
          "bar 0 memory 0x1000",
          "usable 0x0 0xffff",
          "");

  @TempDir private Path folder;

  private Path file(int times, String line) throws IOException {
    List<String> lines = new ArrayList<>(HEADER);
    lines.addAll(Collections.nCopies(times, line));
    return Files.write(folder.resolve("recording"), lines);
  }

  /** 400 MB, if each of them were written out. */
  @Test
  void runsOfBytesTakeNoMoreMemoryThanTheirText() throws IOException {
    Path file = file(100_000, "device-write 0x0 +0x1000 = 00*4096");
    long before = usedMemory();
    Recording recording = Recording.load(file);
    assertThat(usedMemory() - before).isLessThan(100 << 20);
    assertThat(recording.text()).isEqualTo(Files.readAllLines(file));
  }

  private static long usedMemory() {
    System.gc();
    return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
  }

  @Test
  void aRecordingHasSoManyLines() throws IOException {
    assertThat(Recording.load(file(500_000 - HEADER.size(), "reset")).lines()).hasSize(499_991);
    Path file = file(500_001 - HEADER.size(), "reset");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Recording.load(file))
        .withMessage(
            file
                + " is no recording: line 500001: it has more than 500000 lines: record a shorter"
                + " session");
    DeviceName name = DeviceName.parse("simulated:replay,file=" + file);
    assertThatExceptionOfType(DeviceUnavailableException.class)
        .isThrownBy(() -> new SimulatedBackend().open(name))
        .withMessageContaining("line 500001: it has more than 500000 lines");
  }

  @Test
  void aLineIsSoLong() {
    Path endless = Path.of("/dev/zero");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Recording.load(endless))
        .withMessage("/dev/zero is no recording: line 1: it has more than 16384 characters");
  }

  @Test
  void aTextIsSoLong() {
    RecordingText text = new RecordingText(new Endless());
    assertThatIllegalArgumentException()
        .isThrownBy(
            () -> {
              while (text.next() != null) {
                // Until it is too much.
              }
            })
        .withMessageMatching(
            "line \\d+: up to here there are more than 67108864 characters: record a shorter"
                + " session, or one with fewer data");
  }

  private static final class Endless extends Reader {
    @Override
    public int read(char[] into, int offset, int length) {
      for (int i = 0; i < length; i++) {
        into[offset + i] = i % 1000 == 999 ? '\n' : 'x';
      }
      return length;
    }

    @Override
    public void close() {}
  }

  @Test
  void linesEndAsOthersEndThem() throws IOException {
    Path file = folder.resolve("recording");
    Files.writeString(file, String.join("\r\n", HEADER) + "\r\nreset\r\nclose");
    assertThat(Recording.load(file).text()).endsWith("", "reset", "close");
  }

  /** It has what is on the disk. */
  @Test
  void aFileIsItsOwnersAlone() throws IOException {
    Recording recording = Recording.load(file(1, "reset"));
    Path saved = folder.resolve("saved");
    recording.save(saved);
    assertThat(Files.getPosixFilePermissions(saved))
        .isEqualTo(PosixFilePermissions.fromString("rw-------"));
    assertThat(Files.readAllLines(saved)).isEqualTo(recording.text());

    Path other =
        Files.writeString(folder.resolve("other"), "longer than the recording\n".repeat(99));
    Files.setPosixFilePermissions(other, PosixFilePermissions.fromString("rw-r--r--"));
    recording.save(other);
    assertThat(Files.getPosixFilePermissions(other))
        .isEqualTo(PosixFilePermissions.fromString("rw-------"));
    assertThat(Files.readAllLines(other)).isEqualTo(recording.text());
  }
}
