package org.gatun.driver.serial;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.trace.Recorder;
import org.gatun.simulated.trace.Recording;
import org.gatun.simulated.trace.ReplayedDevice;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Sessions with a port that hears itself, recorded, and played to the driver again. */
class SerialReplayTest {
  private static final DeviceName NAME = DeviceName.parse("simulated:replay");
  private static final Duration LONG = Duration.ofSeconds(5);

  @TempDir private Path folder;

  /** Reads of the receiver buffer take a character each, be it the same as the one before. */
  @ParameterizedTest
  @CsvSource({
    "abc, POLL",
    "abc, INTX",
    "hello, POLL",
    "hello, INTX",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, POLL",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, INTX"
  })
  void aSessionThatWasRecordedSatisfiesTheDriver(String text, Completion completion)
      throws Exception {
    Path file = folder.resolve("session");
    record(text, completion).save(file);

    ReplayedDevice device = new ReplayedDevice(NAME, Recording.load(file), TimeSource.system());
    try (device) {
      assertThat(session(device, TimeSource.system(), text, completion)).isEqualTo(text);
      device.verify();
    }
  }

  @Test
  void twoRecordingsAreTheSame() {
    assertThat(record("hello", Completion.POLL).text())
        .isEqualTo(record("hello", Completion.POLL).text());
  }

  private static Recording record(String text, Completion completion) {
    try (SimulatedBus bus = SimulatedBus.virtualTime()) {
      Recorder recorder = new Recorder(bus.open(bus.plug("serial,line=loop")), bus.time());
      try (PciDevice device = recorder.device()) {
        assertThat(session(device, recorder.time(), text, completion)).isEqualTo(text);
      }
      return recorder.recording();
    }
  }

  /** Sends a text, and returns what has come back. */
  private static String session(
      PciDevice device, TimeSource time, String text, Completion completion) {
    SerialOptions options =
        SerialOptions.defaults().withTime(time).withCompletion(completion).withTimeout(LONG);
    byte[] sent = text.getBytes(StandardCharsets.US_ASCII);
    byte[] received = new byte[sent.length];
    try (SerialPort port = SerialPort.open(device, options)) {
      for (int done = 0; done < sent.length; ) {
        int length = Math.min(8, sent.length - done); // as many as its FIFO has room for
        port.write(sent, done, length);
        port.flush(); // all of them are in the other FIFO then
        for (int end = done + length; done < end; ) {
          int more = port.read(received, done, end - done, LONG);
          assertThat(more).as("characters after the first %d", done).isPositive();
          done += more;
        }
      }
    }
    return new String(received, StandardCharsets.US_ASCII);
  }
}
