package org.gatun.driver.serial;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.gatun.driver.serial.SerialFormat.Parity;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.SerialEnd;
import org.gatun.simulated.SerialModel;
import org.gatun.simulated.SimulatedBus;
import org.gatun.specs.serial.UartRegisters;
import org.gatun.testkit.Device;
import org.gatun.testkit.DeviceRoute;
import org.gatun.testkit.SimulatedPci;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The driver on a port that hears itself, and on one whose other end is the test's. */
@SimulatedPci
class SerialPortTest {
  private static final Duration LONG = Duration.ofSeconds(5);

  private final SimulatedBus bus;
  private final PciDevice loop;
  private final SerialOptions options;

  SerialPortTest(SimulatedBus bus, @Device("serial,line=loop") PciDevice loop, TimeSource time) {
    this.bus = bus;
    this.loop = loop;
    this.options = SerialOptions.defaults().withTime(time);
  }

  private SerialPort open(Completion completion) {
    return SerialPort.open(loop, options.withCompletion(completion));
  }

  private static byte[] read(SerialPort port, int length) {
    byte[] bytes = new byte[length];
    int count = 0;
    while (count < length) {
      int more = port.read(bytes, count, length - count, LONG);
      assertThat(more).as("bytes after the first %d", count).isPositive();
      count += more;
    }
    return bytes;
  }

  @ParameterizedTest
  @EnumSource
  void sendsAndReceives(Completion completion) {
    try (SerialPort port = open(completion)) {
      for (String text : List.of("What hath", "God wrought?")) {
        byte[] sent = text.getBytes(StandardCharsets.US_ASCII);
        port.write(sent, 0, sent.length);
        assertThat(read(port, sent.length)).asString(StandardCharsets.US_ASCII).isEqualTo(text);
      }
      assertThat(port.errors()).isEqualTo(LineErrors.NONE);
      assertThat(port.read(new byte[1], 0, 1, Duration.ofMillis(10))).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource
  void anyBytesAtAnySpeed(Completion completion) {
    Random random = new Random(7);
    for (int divisor : new int[] {1, 3, 12, 384}) {
      SerialFormat format = SerialFormat.DEFAULT.withBaud(UartRegisters.BASE_BAUD / divisor);
      try (SerialPort port =
          SerialPort.open(loop, options.withCompletion(completion).withFormat(format))) {
        for (int i = 0; i < 8; i++) {
          byte[] sent = new byte[1 + random.nextInt(16)];
          random.nextBytes(sent);
          port.write(sent, 0, sent.length);
          assertThat(read(port, sent.length)).containsExactly(sent);
        }
      }
    }
  }

  @Test
  void flushesInTheTimeThatCharactersTake() {
    SerialFormat slow = new SerialFormat(300, 7, Parity.EVEN, 2);
    TimeSource time = options.time();
    try (SerialPort port = SerialPort.open(loop, options.withFormat(slow))) {
      long start = time.nanoTime();
      port.write(new byte[10], 0, 10);
      port.flush();
      // Start bit, 7, parity, 2 stop bits: 11 at 300 a second.
      assertThat(time.nanoTime() - start).isGreaterThanOrEqualTo(10 * 11 * 1_000_000_000L / 300);
    }
  }

  @Test
  void countsWhatGoesWrong() {
    SerialEnd near = SerialEnd.nullModem().getFirst();
    SerialEnd far = near.peer().orElseThrow();
    try (PciDevice device = DeviceRoute.chosen(bus.open(bus.plug("cable", new SerialModel(near))));
        SerialPort port = SerialPort.open(device, options)) {
      far.send('a', 0);
      far.send('b', UartRegisters.LSR_PARITY);
      far.send('c', UartRegisters.LSR_FRAMING);
      far.send(0, UartRegisters.LSR_BREAK | UartRegisters.LSR_FRAMING);
      far.send('d', 0);
      awaitDelivered(far, port, true);
      assertThat(read(port, 4)).containsExactly('a', 'b', 'c', 'd');
      assertThat(port.errors()).isEqualTo(new LineErrors(0, 1, 1, 1));
      far.send(0, UartRegisters.LSR_BREAK | UartRegisters.LSR_FRAMING);
      far.send('e', 0);
      awaitDelivered(far, port, false);
      port.write(new byte[1], 0, 1);
      port.flush();
      assertThat(read(port, 1)).as("a break, looked at while transmitting").containsExactly('e');
      for (int i = 0; i < 17; i++) {
        far.send(i, 0);
      }
      awaitDelivered(far, port, true);
      assertThat(read(port, 16)).startsWith(0, 1, 2).endsWith(15);
      assertThat(port.errors()).isEqualTo(new LineErrors(1, 1, 1, 2));
    }
  }

  /** What comes over a line comes in order: with a signal behind it, all before it is there. */
  private void awaitDelivered(SerialEnd far, SerialPort port, boolean up) {
    far.signal(up, up);
    assertThat(
            options
                .time()
                .await(() -> port.signals().clearToSend() == up, LONG, Duration.ofMillis(1)))
        .isTrue();
  }

  @Test
  void signalsGoBothWays() {
    try (SerialPort port = open(Completion.POLL)) {
      awaitSignals(port, new ModemSignals(true, true, false, true));
      port.signal(true, false);
      awaitSignals(port, new ModemSignals(false, true, false, true));
    }
    // It is down when the port is closed, and up when it is opened.
    try (SerialPort port = open(Completion.POLL)) {
      awaitSignals(port, new ModemSignals(true, true, false, true));
    }
  }

  private void awaitSignals(SerialPort port, ModemSignals expected) {
    options.time().await(() -> port.signals().equals(expected), LONG, Duration.ofMillis(1));
    assertThat(port.signals()).isEqualTo(expected);
  }

  @Test
  void whatIsNoPortIsRefused(@Device("edu") PciDevice edu) {
    assertThatExceptionOfType(DeviceProtocolException.class)
        .isThrownBy(() -> SerialPort.open(edu, options))
        .withMessageContaining("no serial port: its class is 00ff00");
  }

  @Test
  void oneThatGoesIsGone() {
    try (SerialPort port = open(Completion.INTX)) {
      bus.unplug(loop.name());
      assertThatExceptionOfType(DeviceGoneException.class)
          .isThrownBy(() -> port.write(new byte[1], 0, 1));
      assertThatExceptionOfType(DeviceGoneException.class)
          .isThrownBy(() -> port.read(new byte[1], 0, 1, LONG));
    }
  }

  @ParameterizedTest
  @CsvSource({"0, 8, 1", "110000, 8, 1", "1, 8, 1", "9600, 4, 1", "9600, 9, 1", "9600, 8, 3"})
  void formatsThatThereAreNot(int baud, int dataBits, int stopBits) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new SerialFormat(baud, dataBits, Parity.NONE, stopBits));
  }
}
