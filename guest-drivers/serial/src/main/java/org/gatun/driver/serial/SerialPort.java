package org.gatun.driver.serial;

import static org.gatun.specs.serial.UartRegisters.DIVISOR_HIGH;
import static org.gatun.specs.serial.UartRegisters.DIVISOR_LOW;
import static org.gatun.specs.serial.UartRegisters.FIFO_CONTROL;
import static org.gatun.specs.serial.UartRegisters.INTERRUPT_ENABLE;
import static org.gatun.specs.serial.UartRegisters.INTERRUPT_IDENTIFICATION;
import static org.gatun.specs.serial.UartRegisters.LINE_CONTROL;
import static org.gatun.specs.serial.UartRegisters.LINE_STATUS;
import static org.gatun.specs.serial.UartRegisters.MODEM_CONTROL;
import static org.gatun.specs.serial.UartRegisters.MODEM_STATUS;
import static org.gatun.specs.serial.UartRegisters.RECEIVER_BUFFER;
import static org.gatun.specs.serial.UartRegisters.SCRATCH;
import static org.gatun.specs.serial.UartRegisters.TRANSMITTER_HOLDING;

import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceProtocolException;
import org.gatun.pci.DeviceTimeoutException;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PortIo;
import org.gatun.pci.TimeSource;
import org.gatun.pci.Vector;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.spi.Failures;
import org.gatun.specs.serial.UartRegisters;
import org.jspecify.annotations.Nullable;

/**
 * A serial port that is a 16550, or a 16450, behind an I/O BAR (National Semiconductor, PC16550D).
 *
 * <p>Used by one thread at a time, except for {@link #close}. An operation throws
 *
 * <ul>
 *   <li>{@link DeviceTimeoutException} if the transmitter takes longer than its characters do and
 *       the options allow, or if the thread is interrupted (its flag stays set);
 *   <li>{@link DeviceProtocolException} if the device answers what its specification rules out;
 *   <li>{@link DeviceGoneException} if the device is gone, or if this was closed.
 * </ul>
 */
public final class SerialPort implements AutoCloseable {
  private static final int COMMUNICATION = 0x07;
  private static final int SERIAL = 0x00;

  /** 16450, 16550, and what is compatible: the generic one, 00, has no FIFOs to speak of. */
  private static final int LAST_COMPATIBLE = 0x06;

  private static final int TEST = 0x5a;
  private static final int ALL_ONES = 0xff;

  private final PciDevice device;
  private final DeviceName name;
  private final TimeSource time;
  private final SerialFormat format;
  private final Duration timeout;
  private final Registers registers;

  /** Null when polling. */
  private final @Nullable Vector vector;

  /** How many bytes an empty transmitter takes. */
  private final int burst;

  private LineErrors errors = LineErrors.NONE;

  /** What line status has said of the oldest byte that was received: it says so once. */
  private int oldest;

  private SerialPort(
      PciDevice device,
      SerialOptions options,
      Registers registers,
      @Nullable Vector vector,
      int burst) {
    this.device = device;
    this.name = device.name();
    this.time = options.time();
    this.format = options.format();
    this.timeout = options.timeout();
    this.registers = registers;
    this.vector = vector;
    this.burst = burst;
  }

  /**
   * Makes the port ready, with its FIFOs on and empty, and tells the other end: DTR and RTS are up.
   *
   * @param device stays the caller's, who closes it after this
   * @throws IllegalArgumentException if the device lacks the interrupt that the options ask for
   * @throws DeviceProtocolException if it is no such port, or does not answer like one
   * @throws DeviceGoneException if it is closed, or gone
   */
  public static SerialPort open(PciDevice device, SerialOptions options) {
    PciClass pciClass = PciClass.of(device.config());
    if (pciClass.base() != COMMUNICATION
        || pciClass.subclass() != SERIAL
        || pciClass.programmingInterface() > LAST_COMPATIBLE) {
      throw new DeviceProtocolException(
          device.name(),
          "this is no serial port: its class is " + pciClass,
          "name a device of class 070002",
          null);
    }
    Optional<Bar> bar = device.bar(UartRegisters.BAR);
    if (bar.isEmpty()
        || bar.get().kind() != Bar.Kind.IO
        || bar.get().size() < UartRegisters.BAR_SIZE) {
      throw new DeviceProtocolException(
          device.name(), "it has no registers: BAR 0 is missing, or no I/O BAR", null, null);
    }
    Registers registers = new Registers(device.name(), bar.get().ports());
    // 8.0: with the divisor latch, which who was here before may have left, there is no IER.
    registers.write(LINE_CONTROL, 0);
    registers.write(INTERRUPT_ENABLE, 0);
    checkScratch(registers);
    SerialFormat format = options.format();
    registers.write(LINE_CONTROL, UartRegisters.LCR_DIVISOR_LATCH);
    registers.write(DIVISOR_LOW, format.divisor() & 0xff);
    registers.write(DIVISOR_HIGH, format.divisor() >>> 8);
    registers.write(LINE_CONTROL, format.lineControl());
    registers.write(
        FIFO_CONTROL,
        UartRegisters.FCR_ENABLE
            | UartRegisters.FCR_CLEAR_RECEIVER
            | UartRegisters.FCR_CLEAR_TRANSMITTER
            | UartRegisters.FCR_TRIGGER_8);
    int identification = registers.read(INTERRUPT_IDENTIFICATION);
    boolean fifos = (identification & UartRegisters.IIR_FIFOS) == UartRegisters.IIR_FIFOS;
    Vector vector = enable(device, options.completion());
    SerialPort port =
        new SerialPort(device, options, registers, vector, fifos ? UartRegisters.FIFO_SIZE : 1);
    try {
      port.begin();
      return port;
    } catch (RuntimeException | Error e) {
      try {
        port.close();
      } catch (RuntimeException | Error suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
  }

  private void begin() {
    // OUT2: in a PC, without it no interrupt gets out.
    registers.write(
        MODEM_CONTROL, UartRegisters.MCR_DTR | UartRegisters.MCR_RTS | UartRegisters.MCR_OUT2);
    // Of what was before.
    lineStatus();
    registers.read(RECEIVER_BUFFER);
    errors = LineErrors.NONE;
    oldest = 0;
    if (vector != null) {
      registers.write(INTERRUPT_ENABLE, UartRegisters.IER_RECEIVED | UartRegisters.IER_LINE_STATUS);
    }
  }

  private static void checkScratch(Registers registers) {
    for (int value : new int[] {TEST, ~TEST & 0xff}) {
      registers.write(SCRATCH, value);
      int found = registers.read(SCRATCH);
      if (found != value) {
        throw new DeviceProtocolException(
            registers.name(),
            "its scratch register reads 0x%02x after a write of 0x%02x".formatted(found, value),
            found == ALL_ONES ? "all ones: nothing answers. Reset the device" : null,
            null);
      }
    }
  }

  private static @Nullable Vector enable(PciDevice device, Completion completion) {
    if (completion == Completion.POLL) {
      return null;
    }
    Interrupts interrupts = device.interrupts();
    if (interrupts.count(Interrupts.Kind.INTX) == 0) {
      throw new IllegalArgumentException(
          device.name() + ": the device has no interrupt pin: have it polled");
    }
    return interrupts.enable(Interrupts.Kind.INTX, 1).getFirst();
  }

  /** Its name. */
  public DeviceName name() {
    return name;
  }

  /**
   * Writes some bytes. What is left of them in the transmitter goes out by itself: see {@link
   * #flush}.
   *
   * @throws IndexOutOfBoundsException if they are not in the array
   */
  public void write(byte[] from, int offset, int length) {
    Objects.checkFromIndexSize(offset, length, from.length);
    registers.checkOpen("writing");
    int end = offset + length;
    for (int next = offset; next < end; ) {
      awaitTransmitter(UartRegisters.LSR_TRANSMITTER_HOLDING_EMPTY);
      for (int room = burst; room > 0 && next < end; room--) {
        registers.write(TRANSMITTER_HOLDING, from[next++] & 0xff);
      }
    }
  }

  /** Returns when all that was written has gone out. */
  public void flush() {
    registers.checkOpen("flushing");
    awaitTransmitter(UartRegisters.LSR_TRANSMITTER_EMPTY);
  }

  /**
   * Reads what has been received, as soon as there is something.
   *
   * @param length how many bytes at most
   * @param limit how long to wait for the first one; zero does not wait
   * @return how many there were: 0 after the time, or if the thread was interrupted (its flag stays
   *     set)
   * @throws IndexOutOfBoundsException if they don't fit the array
   */
  public int read(byte[] into, int offset, int length, Duration limit) {
    Objects.checkFromIndexSize(offset, length, into.length);
    registers.checkOpen("reading");
    long deadline = time.nanoTime() + TimeSource.saturatedNanos(limit);
    while (true) {
      int count = drain(into, offset, length);
      long left = deadline - time.nanoTime();
      if (count > 0 || length == 0 || left <= 0 || Thread.currentThread().isInterrupted()) {
        return count;
      }
      if (vector == null) {
        time.sleep(Duration.ofNanos(Math.min(left, format.nanos(1))));
      } else {
        vector.mask(false); // what has interrupted was read
        if (vector.await(Duration.ofNanos(left))) {
          time.spin(); // with a pin that stays up, each turn of this loop is one of polling
        }
      }
    }
  }

  private int drain(byte[] into, int offset, int length) {
    int count = 0;
    // Breaks deliver nothing. A device that has more of them than its FIFO holds must not keep us.
    int breaks = 0;
    while (count < length && breaks < UartRegisters.FIFO_SIZE) {
      int status = lineStatus();
      if ((status & UartRegisters.LSR_DATA_READY) == 0) {
        break;
      }
      int data = registers.read(RECEIVER_BUFFER);
      if ((oldest & UartRegisters.LSR_BREAK) == 0) {
        into[offset + count++] = (byte) data;
      } else {
        breaks++;
      }
      oldest = 0;
    }
    return count;
  }

  /** What went wrong since the port was opened. */
  public LineErrors errors() {
    return errors;
  }

  /** What the other end says of itself. */
  public ModemSignals signals() {
    registers.checkOpen("looking at its signals");
    int status = registers.read(MODEM_STATUS);
    return new ModemSignals(
        (status & UartRegisters.MSR_CTS) != 0,
        (status & UartRegisters.MSR_DSR) != 0,
        (status & UartRegisters.MSR_RI) != 0,
        (status & UartRegisters.MSR_DCD) != 0);
  }

  /** Raises these signals, and no others. */
  public void signal(boolean dataTerminalReady, boolean requestToSend) {
    registers.checkOpen("raising its signals");
    registers.write(
        MODEM_CONTROL,
        UartRegisters.MCR_OUT2
            | (dataTerminalReady ? UartRegisters.MCR_DTR : 0)
            | (requestToSend ? UartRegisters.MCR_RTS : 0));
  }

  /** A read clears what it says of errors, so each is counted, and kept for its byte. */
  private int lineStatus() {
    int status = registers.read(LINE_STATUS);
    if (status == ALL_ONES) {
      throw new DeviceProtocolException(
          name, "its line status reads all ones", "nothing answers: reset the device", null);
    }
    int wrong =
        status
            & (UartRegisters.LSR_OVERRUN
                | UartRegisters.LSR_PARITY
                | UartRegisters.LSR_FRAMING
                | UartRegisters.LSR_BREAK);
    oldest |= wrong;
    if (wrong != 0) {
      // A break has no stop bit, and any parity.
      boolean held = (wrong & UartRegisters.LSR_BREAK) != 0;
      errors =
          new LineErrors(
              errors.overruns() + one(wrong, UartRegisters.LSR_OVERRUN),
              errors.parity() + (held ? 0 : one(wrong, UartRegisters.LSR_PARITY)),
              errors.framing() + (held ? 0 : one(wrong, UartRegisters.LSR_FRAMING)),
              errors.breaks() + (held ? 1 : 0));
    }
    return status;
  }

  private static int one(int status, int bit) {
    return (status & bit) != 0 ? 1 : 0;
  }

  private void awaitTransmitter(int bit) {
    Duration limit = timeout.plusNanos(format.nanos(UartRegisters.FIFO_SIZE + 1));
    boolean done =
        time.await(() -> (lineStatus() & bit) != 0, limit, Duration.ofNanos(format.nanos(1)));
    if (!done) {
      throw Thread.currentThread().isInterrupted()
          ? new DeviceTimeoutException(name, "transmitting: the thread was interrupted", null, null)
          : new DeviceTimeoutException(
              name,
              "its transmitter has not become empty within " + limit.toMillis() + " ms",
              "reset the device, or give it more time",
              null);
    }
  }

  /**
   * Stops the interrupts, and tells the other end: DTR and RTS are down. An access of another
   * thread's is over when this returns, and none follows. Idempotent, from any thread. The {@link
   * PciDevice} stays open.
   *
   * @throws org.gatun.pci.PciException if a step fails, of a device that is not gone; the others
   *     were taken
   */
  @Override
  public void close() {
    registers.close(this::quiet);
  }

  private void quiet(PortIo ports) {
    Failures failures = new Failures();
    failures.attemptUnlessGone(() -> ports.write8(INTERRUPT_ENABLE, 0));
    failures.attemptUnlessGone(() -> ports.write8(MODEM_CONTROL, 0));
    if (vector != null) {
      failures.attemptUnlessGone(() -> device.interrupts().disable());
    }
    failures.rethrow();
  }

  @Override
  public String toString() {
    return name + " (serial port)";
  }
}
