package org.gatun.driver.serial;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.PortIo;
import org.gatun.pci.TimeSource;
import org.gatun.simulated.SimulatedBus;
import org.gatun.simulated.fault.Effect;
import org.gatun.simulated.fault.Fault;
import org.gatun.simulated.fault.Faults;
import org.gatun.simulated.fault.Point;
import org.gatun.specs.serial.UartRegisters;
import org.gatun.testkit.DeviceRoute;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The driver on a port that breaks its rules, that was left in disorder, or that is taken away. */
@Tag(DeviceRoute.VIRTUAL_TIME)
@Timeout(value = 10, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SerialPortTroubleTest {
  private static final Duration LONG = Duration.ofSeconds(5);
  private static final int LSR = (int) UartRegisters.LINE_STATUS;

  private final Faults faults = new Faults();
  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final PciDevice device = bus.open(bus.plug("serial,line=loop", faults));
  private final SerialOptions options = SerialOptions.defaults().withTime(bus.time());

  @AfterEach
  void close() {
    device.close();
    bus.close();
  }

  @ParameterizedTest
  @EnumSource
  void breaksWithoutEndDoNotKeepTheReader(Completion completion) {
    try (SerialPort port = SerialPort.open(device, options.withCompletion(completion))) {
      int held = UartRegisters.LSR_DATA_READY | UartRegisters.LSR_BREAK;
      faults.add(
          Fault.at(Point.REGISTER_READ, new Effect.Force(held, held))
              .matching(Fault.register(UartRegisters.BAR, LSR)));
      assertThat(port.read(new byte[4], 0, 4, Duration.ZERO)).isZero();
      long start = bus.time().nanoTime();
      assertThat(port.read(new byte[4], 0, 4, LONG)).isZero();
      assertThat(bus.time().nanoTime() - start).isEqualTo(LONG.toNanos());
      assertThat(port.errors().breaks()).isPositive();

      Thread.currentThread().interrupt();
      assertThat(port.read(new byte[4], 0, 4, LONG)).isZero();
      assertThat(Thread.interrupted()).isTrue();
    }
  }

  @Test
  void aPinThatStaysUpDoesNotKeepTheReader() {
    try (SerialPort port = SerialPort.open(device, options.withCompletion(Completion.INTX))) {
      faults.add(Fault.at(Point.REGISTER_READ, new Effect.Interrupt(0)));
      assertThat(port.read(new byte[4], 0, 4, Duration.ofMillis(10))).isZero();
    }
  }

  /** PC16550D, 8.0: with the divisor latch, the interrupt enable register is not at its place. */
  @Test
  void interruptsAreOffEvenIfTheDivisorLatchWasLeftOn() {
    PortIo ports = device.bar(UartRegisters.BAR).orElseThrow().ports();
    ports.write8(UartRegisters.INTERRUPT_ENABLE, 0x0f);
    ports.write8(UartRegisters.LINE_CONTROL, UartRegisters.LCR_DIVISOR_LATCH);
    try (SerialPort port = SerialPort.open(device, options)) {
      port.write(new byte[1], 0, 1);
      port.flush();
      assertThat(ports.read8(UartRegisters.INTERRUPT_ENABLE)).isZero();
      assertThat(bus.interruptLine(device.name()).orElseThrow().isAsserted()).isFalse();
    }
  }

  /** A clock by which something happens while the driver waits for the first time. */
  private TimeSource at(Runnable first) {
    TimeSource time = bus.time();
    boolean[] done = {false};
    return new TimeSource() {
      @Override
      public long nanoTime() {
        return time.nanoTime();
      }

      @Override
      public void sleep(Duration duration) {
        time.sleep(duration);
        if (!done[0]) {
          done[0] = true;
          first.run();
        }
      }

      @Override
      public void spin() {
        time.spin();
      }
    };
  }

  @Test
  void aByteThatComesAfterCloseIsTheNextDrivers() {
    List<SerialPort> ports = new ArrayList<>();
    TimeSource time =
        at(
            () -> {
              ports.getFirst().close();
              SerialPort next = SerialPort.open(device, options);
              ports.add(next);
              next.write(new byte[] {42}, 0, 1);
            });
    ports.add(SerialPort.open(device, options.withTime(time)));
    assertThatExceptionOfType(DeviceGoneException.class)
        .isThrownBy(() -> ports.getFirst().read(new byte[1], 0, 1, LONG))
        .withMessageContaining("after close");
    byte[] read = new byte[1];
    try (SerialPort next = ports.getLast()) {
      assertThat(next.read(read, 0, 1, LONG)).isEqualTo(1);
      assertThat(read).containsExactly(42);
    }
  }

  @Test
  void nothingIsWrittenAfterClose() {
    List<Long> written = new ArrayList<>();
    SerialPort[] port = new SerialPort[1];
    PciDevice watched =
        new WatchedPorts(
            device,
            (write, register) -> {
              if (write) {
                written.add(register);
                if (register == UartRegisters.TRANSMITTER_HOLDING && written.size() == 3) {
                  port[0].close();
                }
              }
            });
    port[0] = SerialPort.open(watched, options);
    written.clear();
    assertThatExceptionOfType(DeviceGoneException.class)
        .isThrownBy(() -> port[0].write(new byte[10], 0, 10));
    assertThat(written)
        .as("three bytes, the last of which meets the close")
        .containsExactly(
            UartRegisters.TRANSMITTER_HOLDING,
            UartRegisters.TRANSMITTER_HOLDING,
            UartRegisters.TRANSMITTER_HOLDING,
            UartRegisters.INTERRUPT_ENABLE,
            UartRegisters.MODEM_CONTROL);
  }

  @Test
  void whoWaitsForTheTransmitterHearsOfTheClose() {
    SerialPort[] port = new SerialPort[1];
    port[0] = SerialPort.open(device, options.withTime(at(() -> port[0].close())));
    assertThatExceptionOfType(DeviceGoneException.class)
        .isThrownBy(() -> port[0].write(new byte[40], 0, 40));
  }

  @Test
  void closeWaitsForAnAccess() {
    List<Thread> closers = new ArrayList<>();
    SerialPort[] port = new SerialPort[1];
    PciDevice watched =
        new WatchedPorts(
            device,
            (write, register) -> {
              if (!closers.isEmpty() && !write && register == LSR) {
                Thread thread = closers.removeFirst();
                thread.start();
                assertThat(joins(thread, 100)).as("closed, with a read in progress").isFalse();
              }
            });
    port[0] = SerialPort.open(watched, options);
    Thread thread = Thread.ofPlatform().daemon().unstarted(() -> port[0].close());
    closers.add(thread);
    try {
      port[0].read(new byte[1], 0, 1, Duration.ZERO);
    } catch (DeviceGoneException _) {
      // If the close came between its accesses.
    }
    assertThat(joins(thread, 10_000)).isTrue();
  }

  private static boolean joins(Thread thread, long millis) {
    try {
      TimeUnit.MILLISECONDS.timedJoin(thread, millis);
      return !thread.isAlive();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void closeTakesAllItsStepsWhateverFails() {
    boolean[] fails = {false};
    List<Long> tried = new ArrayList<>();
    PciDevice failing =
        new WatchedPorts(
            device,
            (_, register) -> {
              if (fails[0]) {
                tried.add(register);
                throw new PciException(device.name(), "EIO of register " + register, null, null);
              }
            });
    SerialPort port = SerialPort.open(failing, options.withCompletion(Completion.INTX));
    assertThat(device.usage().vectors()).isEqualTo(1);
    fails[0] = true;
    assertThatThrownBy(port::close)
        .isInstanceOf(PciException.class)
        .hasMessageContaining("EIO of register 1")
        .satisfies(
            e ->
                assertThat(e.getSuppressed())
                    .singleElement()
                    .asString()
                    .contains("EIO of register 4"));
    assertThat(tried).containsExactly(UartRegisters.INTERRUPT_ENABLE, UartRegisters.MODEM_CONTROL);
    assertThat(device.usage().vectors()).isZero();
  }
}
