package org.gatun.simulated;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.gatun.specs.serial.UartRegisters;
import org.jspecify.annotations.Nullable;

/** A 16550 at work (National Semiconductor, PC16550D). */
final class Uart implements SerialEnd.Listener {
  /** RBR, THR, DLL. */
  private static final Register DATA = register("DATA", UartRegisters.RECEIVER_BUFFER);

  /** IER, DLM. */
  private static final Register ENABLE = register("IER", UartRegisters.INTERRUPT_ENABLE);

  /** IIR, FCR. */
  private static final Register FIFO = register("IIR/FCR", UartRegisters.FIFO_CONTROL);

  private static final Register LINE = register("LCR", UartRegisters.LINE_CONTROL).allReadWrite();
  private static final Register MODEM =
      register("MCR", UartRegisters.MODEM_CONTROL).readWrite(0x1f);
  private static final Register LINE_STATUS = register("LSR", UartRegisters.LINE_STATUS);
  private static final Register MODEM_STATUS = register("MSR", UartRegisters.MODEM_STATUS);
  private static final Register SCRATCH = register("SCR", UartRegisters.SCRATCH).allReadWrite();

  static final RegisterMap REGISTERS =
      RegisterMap.of(
          UartRegisters.BAR, DATA, ENABLE, FIFO, LINE, MODEM, LINE_STATUS, MODEM_STATUS, SCRATCH);

  private static final int IER_ALL = 0x0f;
  private static final int LSR_ERRORS =
      UartRegisters.LSR_PARITY | UartRegisters.LSR_FRAMING | UartRegisters.LSR_BREAK;

  /** What is up if nobody says otherwise, as on QEMU's. */
  private static final int ALL_READY =
      UartRegisters.MSR_CTS | UartRegisters.MSR_DSR | UartRegisters.MSR_DCD;

  private static final int RESET_DIVISOR = 12;

  /** Character times without a byte moved, after which the receiver says that it has some. */
  private static final int TIMEOUT_CHARACTERS = 4;

  /** The most characters on their way from the line; more are lost. */
  private static final int BACKLOG = 256;

  private record Received(int data, int errors) {}

  /** What the other end drives, or is to see. */
  private record Signals(boolean terminalReady, boolean sendRequest) {
    int modemStatus() {
      return (sendRequest ? UartRegisters.MSR_CTS : 0)
          | (terminalReady ? UartRegisters.MSR_DSR | UartRegisters.MSR_DCD : 0);
    }
  }

  private final RegisterDevice device;
  private final SerialEnd line;
  private final ArrayDeque<Received> receiver = new ArrayDeque<>();
  private final ArrayDeque<Integer> transmitter = new ArrayDeque<>();

  /** On their way to the line, and from there: of several, the newest. Null if none are. */
  private final AtomicReference<@Nullable Signals> signalsOut = new AtomicReference<>();

  private final AtomicReference<@Nullable Signals> signalsIn = new AtomicReference<>();
  private final AtomicInteger underWay = new AtomicInteger();

  private int enabled;
  private int divisor = RESET_DIVISOR;
  private boolean fifos;
  private int trigger = 1;
  private boolean shifting;

  /**
   * Overrun, which belongs to no byte, and what was wrong with those that have come to the top of
   * the FIFO: until somebody reads the line status, whether or not they are read before.
   */
  private int lineErrors;

  /** The transmitter has become empty, and nobody has looked since. */
  private boolean emptied;

  private boolean timedOut;

  private Agenda.@Nullable Entry timeout;

  /** Counts what moves in the receiver: a time-out that finds another number is void. */
  private int moves;

  /** What comes over the line; in the bits of the modem status. */
  private int lineSignals;

  private int modemStatus;

  Uart(RegisterDevice device, SerialEnd line) {
    this.device = device;
    this.line = line;
    this.lineSignals = line.peer().isPresent() ? 0 : ALL_READY;
    device.onRead(DATA, this::readData);
    device.onWrite(DATA, value -> writeData((int) value));
    device.onRead(ENABLE, () -> latched() ? divisor >> 8 : enabled);
    device.onWrite(ENABLE, value -> writeEnable((int) value));
    device.onRead(FIFO, this::readIdentification);
    device.onWrite(FIFO, value -> writeFifoControl((int) value));
    device.onRead(LINE_STATUS, this::readLineStatus);
    device.onRead(MODEM_STATUS, this::readModemStatus);
    device.onWrite(MODEM, _ -> modemControlled());
    device.onReset(this::reset);
    device.onClose(
        () -> {
          signalsOut.set(null);
          line.detach();
        });
    modemStatus = lineSignals;
    line.attach(this);
  }

  private static Register register(String name, long offset) {
    return Register.at(name, offset, 1);
  }

  private void reset() {
    receiver.clear();
    transmitter.clear();
    enabled = 0;
    divisor = RESET_DIVISOR;
    fifos = false;
    trigger = 1;
    shifting = false;
    lineErrors = 0;
    emptied = false;
    timedOut = false;
    moves++;
    signal(false, false);
    modemStatus = lineSignals;
  }

  private boolean latched() {
    return (device.get(LINE) & UartRegisters.LCR_DIVISOR_LATCH) != 0;
  }

  private boolean loopback() {
    return (device.get(MODEM) & UartRegisters.MCR_LOOPBACK) != 0;
  }

  // What the driver does: 8.0 Registers.

  private long readData() {
    if (latched()) {
      return divisor & 0xff;
    }
    Received oldest = receiver.poll();
    timedOut = false;
    moved();
    return oldest == null ? 0 : oldest.data;
  }

  private void writeData(int value) {
    if (latched()) {
      divisor = (divisor & 0xff00) | value;
      return;
    }
    // 8.4: what is written to a full FIFO is lost; without FIFOs, it takes the place of the other.
    if (!fifos) {
      transmitter.clear();
    }
    if (transmitter.size() < UartRegisters.FIFO_SIZE) {
      transmitter.add(value);
    }
    emptied = false;
    shift();
    update();
  }

  private void writeEnable(int value) {
    if (latched()) {
      divisor = (divisor & 0xff) | (value << 8);
      return;
    }
    int before = enabled;
    enabled = value & IER_ALL;
    if ((enabled & ~before & UartRegisters.IER_TRANSMITTER_EMPTY) != 0 && transmitter.isEmpty()) {
      emptied = true;
    }
    update();
  }

  private void writeFifoControl(int value) {
    boolean enable = (value & UartRegisters.FCR_ENABLE) != 0;
    boolean changed = enable != fifos;
    fifos = enable;
    if (changed || (enable && (value & UartRegisters.FCR_CLEAR_RECEIVER) != 0)) {
      receiver.clear();
      timedOut = false;
      moved();
    }
    if (changed || (enable && (value & UartRegisters.FCR_CLEAR_TRANSMITTER) != 0)) {
      transmitter.clear();
      emptied = true;
    }
    trigger = enable ? UartRegisters.triggerLevel(value) : 1;
    update();
  }

  private long readIdentification() {
    int cause = cause();
    if (cause == UartRegisters.IIR_TRANSMITTER_EMPTY) {
      emptied = false;
      update();
    }
    return cause | (fifos ? UartRegisters.IIR_FIFOS : 0);
  }

  private long readLineStatus() {
    int status = lineStatus();
    lineErrors = 0;
    update();
    return status;
  }

  private int lineStatus() {
    int status = lineErrors;
    if (!receiver.isEmpty()) {
      status |= UartRegisters.LSR_DATA_READY;
    }
    if (fifos
        && ((lineErrors & LSR_ERRORS) != 0
            || receiver.stream().anyMatch(received -> received.errors != 0))) {
      status |= UartRegisters.LSR_ERROR_IN_FIFO;
    }
    if (transmitter.isEmpty()) {
      status |= UartRegisters.LSR_TRANSMITTER_HOLDING_EMPTY;
      if (!shifting) {
        status |= UartRegisters.LSR_TRANSMITTER_EMPTY;
      }
    }
    return status;
  }

  private long readModemStatus() {
    int status = modemStatus;
    modemStatus &= 0xf0;
    update();
    return status;
  }

  private void modemControlled() {
    int control = (int) device.get(MODEM);
    boolean alone = loopback();
    boolean terminalReady = !alone && (control & UartRegisters.MCR_DTR) != 0;
    boolean sendRequest = !alone && (control & UartRegisters.MCR_RTS) != 0;
    signal(terminalReady, sendRequest);
    signalsChanged();
  }

  private void signal(boolean terminalReady, boolean sendRequest) {
    if (signalsOut.getAndSet(new Signals(terminalReady, sendRequest)) == null) {
      device.handOver(
          () -> {
            Signals newest = signalsOut.getAndSet(null);
            if (newest != null) {
              line.signal(newest.terminalReady, newest.sendRequest);
            }
          });
    }
  }

  // What the line does.

  @Override
  public void received(int data, int errors) {
    // What is on its way takes memory, and the FIFO could not hold it anyway.
    if (underWay.incrementAndGet() > BACKLOG) {
      underWay.decrementAndGet();
      return;
    }
    device.soon(
        () -> {
          underWay.decrementAndGet();
          if (!loopback()) {
            receive(data, errors);
          }
        });
  }

  @Override
  public void signalled(boolean dataTerminalReady, boolean requestToSend) {
    if (signalsIn.getAndSet(new Signals(dataTerminalReady, requestToSend)) == null) {
      device.soon(
          () -> {
            Signals newest = signalsIn.getAndSet(null);
            if (newest != null) {
              lineSignals = newest.modemStatus();
              signalsChanged();
            }
          });
    }
  }

  private void receive(int data, int errors) {
    int room = fifos ? UartRegisters.FIFO_SIZE : 1;
    if (receiver.size() >= room) {
      lineErrors |= UartRegisters.LSR_OVERRUN;
      if (!fifos) {
        // 8.6.2: the character in the register is overwritten; the FIFO keeps what it has.
        receiver.clear();
      }
    }
    if (receiver.size() < room) {
      receiver.add(new Received(data & wordMask(), errors & LSR_ERRORS));
    }
    moved();
  }

  /** Line Status Register, bits 2 to 4: an error shows when its character is at the top. */
  private void reveal() {
    Received oldest = receiver.peek();
    if (oldest != null && oldest.errors != 0) {
      lineErrors |= oldest.errors;
      receiver.removeFirst();
      receiver.addFirst(new Received(oldest.data, 0));
    }
  }

  /** 8.6.3: a FIFO that nothing moves in says so, until it is read. */
  private void moved() {
    reveal();
    int now = ++moves;
    if (timeout != null) {
      timeout.cancel();
    }
    timeout =
        fifos && !receiver.isEmpty()
            ? device.after(
                characterTime().multipliedBy(TIMEOUT_CHARACTERS),
                () -> {
                  if (moves == now) {
                    timedOut = true;
                    update();
                  }
                })
            : null;
    update();
  }

  private void signalsChanged() {
    int control = (int) device.get(MODEM);
    int signals =
        loopback()
            ? bit(control, UartRegisters.MCR_RTS, UartRegisters.MSR_CTS)
                | bit(control, UartRegisters.MCR_DTR, UartRegisters.MSR_DSR)
                | bit(control, UartRegisters.MCR_OUT1, UartRegisters.MSR_RI)
                | bit(control, UartRegisters.MCR_OUT2, UartRegisters.MSR_DCD)
            : lineSignals;
    int changed = (signals ^ modemStatus) & 0xf0;
    int ended = changed & modemStatus;
    modemStatus =
        signals
            | (modemStatus & 0x0f)
            | bit(changed, UartRegisters.MSR_CTS, UartRegisters.MSR_DELTA_CTS)
            | bit(changed, UartRegisters.MSR_DSR, UartRegisters.MSR_DELTA_DSR)
            | bit(ended, UartRegisters.MSR_RI, UartRegisters.MSR_TRAILING_RI)
            | bit(changed, UartRegisters.MSR_DCD, UartRegisters.MSR_DELTA_DCD);
    update();
  }

  private static int bit(int from, int which, int to) {
    return (from & which) != 0 ? to : 0;
  }

  private void shift() {
    Integer next = shifting ? null : transmitter.poll();
    if (next == null) {
      return;
    }
    shifting = true;
    emptied |= transmitter.isEmpty();
    device.after(
        characterTime(),
        () -> {
          shifting = false;
          if (loopback()) {
            receive(next, 0);
          } else {
            int sent = next & wordMask();
            device.handOver(() -> line.send(sent, 0));
          }
          shift();
          update();
        });
  }

  private int wordMask() {
    return (1 << wordLength()) - 1;
  }

  private int wordLength() {
    return 5 + (int) (device.get(LINE) & UartRegisters.LCR_WORD_LENGTH);
  }

  /** 8.3: start bit, word, parity, stop bits. A divisor of 0 counts as 1. */
  private Duration characterTime() {
    long format = device.get(LINE);
    int bits =
        1
            + wordLength()
            + ((format & UartRegisters.LCR_PARITY) != 0 ? 1 : 0)
            + ((format & UartRegisters.LCR_TWO_STOP_BITS) != 0 ? 2 : 1);
    return Duration.ofNanos(1_000_000_000L * bits * Math.max(1, divisor) / UartRegisters.BASE_BAUD);
  }

  // Interrupts, in the order of their urgency: table IV.

  private int cause() {
    if (wants(UartRegisters.IER_LINE_STATUS)
        && (lineStatus() & (LSR_ERRORS | UartRegisters.LSR_OVERRUN)) != 0) {
      return UartRegisters.IIR_LINE_STATUS;
    }
    if (wants(UartRegisters.IER_RECEIVED) && receiver.size() >= trigger) {
      return UartRegisters.IIR_RECEIVED;
    }
    if (wants(UartRegisters.IER_RECEIVED) && timedOut) {
      return UartRegisters.IIR_TIMEOUT;
    }
    if (wants(UartRegisters.IER_TRANSMITTER_EMPTY) && emptied) {
      return UartRegisters.IIR_TRANSMITTER_EMPTY;
    }
    if (wants(UartRegisters.IER_MODEM_STATUS) && (modemStatus & 0x0f) != 0) {
      return UartRegisters.IIR_MODEM_STATUS;
    }
    return UartRegisters.IIR_NONE;
  }

  private boolean wants(int interrupt) {
    return (enabled & interrupt) != 0;
  }

  private void update() {
    device.interrupt(0, cause() != UartRegisters.IIR_NONE);
  }
}
