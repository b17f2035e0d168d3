package org.gatun.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.gatun.specs.serial.UartRegisters.DIVISOR_HIGH;
import static org.gatun.specs.serial.UartRegisters.DIVISOR_LOW;
import static org.gatun.specs.serial.UartRegisters.FCR_ENABLE;
import static org.gatun.specs.serial.UartRegisters.FCR_TRIGGER_8;
import static org.gatun.specs.serial.UartRegisters.FIFO_CONTROL;
import static org.gatun.specs.serial.UartRegisters.IER_LINE_STATUS;
import static org.gatun.specs.serial.UartRegisters.IER_MODEM_STATUS;
import static org.gatun.specs.serial.UartRegisters.IER_RECEIVED;
import static org.gatun.specs.serial.UartRegisters.IER_TRANSMITTER_EMPTY;
import static org.gatun.specs.serial.UartRegisters.IIR_FIFOS;
import static org.gatun.specs.serial.UartRegisters.IIR_LINE_STATUS;
import static org.gatun.specs.serial.UartRegisters.IIR_MODEM_STATUS;
import static org.gatun.specs.serial.UartRegisters.IIR_NONE;
import static org.gatun.specs.serial.UartRegisters.IIR_RECEIVED;
import static org.gatun.specs.serial.UartRegisters.IIR_TIMEOUT;
import static org.gatun.specs.serial.UartRegisters.IIR_TRANSMITTER_EMPTY;
import static org.gatun.specs.serial.UartRegisters.INTERRUPT_ENABLE;
import static org.gatun.specs.serial.UartRegisters.INTERRUPT_IDENTIFICATION;
import static org.gatun.specs.serial.UartRegisters.LCR_DIVISOR_LATCH;
import static org.gatun.specs.serial.UartRegisters.LCR_PARITY;
import static org.gatun.specs.serial.UartRegisters.LCR_TWO_STOP_BITS;
import static org.gatun.specs.serial.UartRegisters.LINE_CONTROL;
import static org.gatun.specs.serial.UartRegisters.LINE_STATUS;
import static org.gatun.specs.serial.UartRegisters.LSR_BREAK;
import static org.gatun.specs.serial.UartRegisters.LSR_DATA_READY;
import static org.gatun.specs.serial.UartRegisters.LSR_ERROR_IN_FIFO;
import static org.gatun.specs.serial.UartRegisters.LSR_FRAMING;
import static org.gatun.specs.serial.UartRegisters.LSR_OVERRUN;
import static org.gatun.specs.serial.UartRegisters.LSR_PARITY;
import static org.gatun.specs.serial.UartRegisters.LSR_TRANSMITTER_EMPTY;
import static org.gatun.specs.serial.UartRegisters.LSR_TRANSMITTER_HOLDING_EMPTY;
import static org.gatun.specs.serial.UartRegisters.MCR_DTR;
import static org.gatun.specs.serial.UartRegisters.MCR_LOOPBACK;
import static org.gatun.specs.serial.UartRegisters.MCR_OUT1;
import static org.gatun.specs.serial.UartRegisters.MCR_OUT2;
import static org.gatun.specs.serial.UartRegisters.MCR_RTS;
import static org.gatun.specs.serial.UartRegisters.MODEM_CONTROL;
import static org.gatun.specs.serial.UartRegisters.MODEM_STATUS;
import static org.gatun.specs.serial.UartRegisters.MSR_CTS;
import static org.gatun.specs.serial.UartRegisters.MSR_DCD;
import static org.gatun.specs.serial.UartRegisters.MSR_DELTA_CTS;
import static org.gatun.specs.serial.UartRegisters.MSR_DELTA_DCD;
import static org.gatun.specs.serial.UartRegisters.MSR_DELTA_DSR;
import static org.gatun.specs.serial.UartRegisters.MSR_DSR;
import static org.gatun.specs.serial.UartRegisters.MSR_RI;
import static org.gatun.specs.serial.UartRegisters.MSR_TRAILING_RI;
import static org.gatun.specs.serial.UartRegisters.RECEIVER_BUFFER;
import static org.gatun.specs.serial.UartRegisters.SCRATCH;
import static org.gatun.specs.serial.UartRegisters.TRANSMITTER_HOLDING;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PortIo;
import org.gatun.pci.Vector;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** National Semiconductor, PC16550D. A character of 8 bits at 115200 takes 86805 ns. */
class SerialModelTest {
  private static final Duration CHARACTER = Duration.ofNanos(86_805);

  private final SimulatedBus bus = SimulatedBus.virtualTime();
  private final List<SerialEnd> cable = SerialEnd.nullModem();
  private final SerialEnd far = cable.getLast();
  private final List<Integer> arrived = new ArrayList<>();
  private final List<String> signals = new ArrayList<>();
  private PciDevice device;
  private PortIo uart;

  @BeforeEach
  void open() {
    device = bus.open(bus.plug("serial", new SerialModel(cable.getFirst())));
    uart = device.bar(0).orElseThrow().ports();
    far.attach(
        new SerialEnd.Listener() {
          @Override
          public void received(int data, int errors) {
            arrived.add(data);
          }

          @Override
          public void signalled(boolean dataTerminalReady, boolean requestToSend) {
            signals.add((dataTerminalReady ? "DTR " : "") + (requestToSend ? "RTS" : ""));
          }
        });
    write(LINE_CONTROL, LCR_DIVISOR_LATCH);
    write(DIVISOR_LOW, 1);
    write(DIVISOR_HIGH, 0);
    write(LINE_CONTROL, 0x03);
  }

  @AfterEach
  void close() {
    bus.close();
  }

  private int read(long register) {
    return uart.read8(register);
  }

  private void write(long register, int value) {
    uart.write8(register, value);
  }

  private void pass(Duration time) {
    bus.time().sleep(time);
  }

  /** From the other end, with nothing in between. */
  private void send(int... characters) {
    for (int character : characters) {
      far.send(character, 0);
    }
    pass(Duration.ofNanos(1));
  }

  @Test
  void isAfterAResetAsTheDataSheetSays() {
    device.reset();
    assertThat(read(INTERRUPT_ENABLE)).isZero();
    assertThat(read(INTERRUPT_IDENTIFICATION)).isEqualTo(IIR_NONE);
    assertThat(read(LINE_CONTROL)).isZero();
    assertThat(read(MODEM_CONTROL)).isZero();
    assertThat(read(LINE_STATUS)).isEqualTo(LSR_TRANSMITTER_HOLDING_EMPTY | LSR_TRANSMITTER_EMPTY);
    write(SCRATCH, 0xa5);
    assertThat(read(SCRATCH)).isEqualTo(0xa5);
    assertThat(uart.read16(0)).as("16 bits are two registers").isZero();
  }

  @Test
  void theDivisorIsBehindItsLatch() {
    write(INTERRUPT_ENABLE, 0xff);
    write(LINE_CONTROL, LCR_DIVISOR_LATCH);
    assertThat(read(DIVISOR_LOW)).isEqualTo(1);
    assertThat(read(DIVISOR_HIGH)).isZero();
    write(DIVISOR_HIGH, 0x12);
    assertThat(read(DIVISOR_HIGH)).isEqualTo(0x12);
    write(LINE_CONTROL, 0);
    assertThat(read(INTERRUPT_ENABLE)).as("four of them").isEqualTo(0x0f);
  }

  @Test
  void transmitsInTheTimeOfItsCharacters() {
    write(FIFO_CONTROL, FCR_ENABLE);
    for (int i = 0; i < 20; i++) {
      write(TRANSMITTER_HOLDING, 'a' + i);
    }
    assertThat(read(LINE_STATUS)).isZero();
    pass(CHARACTER.minusNanos(1));
    assertThat(arrived).isEmpty();
    pass(CHARACTER.multipliedBy(16));
    assertThat(arrived).as("one in the shift register, and 16").hasSize(16);
    assertThat(read(LINE_STATUS)).isEqualTo(LSR_TRANSMITTER_HOLDING_EMPTY);
    pass(CHARACTER);
    assertThat(arrived).hasSize(17).startsWith((int) 'a', (int) 'b').endsWith('a' + 16);
    assertThat(read(LINE_STATUS)).isEqualTo(LSR_TRANSMITTER_HOLDING_EMPTY | LSR_TRANSMITTER_EMPTY);
  }

  @Test
  void theFormatSaysHowLongAndHowWide() {
    write(LINE_CONTROL, LCR_PARITY | LCR_TWO_STOP_BITS); // 5 bits: 9 in all
    write(TRANSMITTER_HOLDING, 0xff);
    pass(Duration.ofNanos(78_124));
    assertThat(arrived).isEmpty();
    pass(Duration.ofNanos(1));
    assertThat(arrived).containsExactly(0x1f);
    send(0xff);
    assertThat(read(RECEIVER_BUFFER)).isEqualTo(0x1f);
  }

  @Test
  void interruptsAtItsTriggerLevelAndAfterAPause() {
    write(FIFO_CONTROL, FCR_ENABLE | FCR_TRIGGER_8);
    write(INTERRUPT_ENABLE, IER_RECEIVED);
    Vector vector = device.interrupts().enable(Interrupts.Kind.INTX, 1).getFirst();
    send(1, 2, 3, 4, 5, 6, 7);
    assertThat(read(INTERRUPT_IDENTIFICATION)).isEqualTo(IIR_FIFOS | IIR_NONE);
    assertThat(vector.poll()).isFalse();
    send(8);
    assertThat(read(INTERRUPT_IDENTIFICATION)).isEqualTo(IIR_FIFOS | IIR_RECEIVED);
    assertThat(vector.poll()).isTrue();
    assertThat(read(RECEIVER_BUFFER)).isEqualTo(1);
    assertThat(read(INTERRUPT_IDENTIFICATION)).isEqualTo(IIR_FIFOS | IIR_NONE);
    vector.mask(false);
    assertThat(vector.poll()).isFalse();
    pass(CHARACTER.multipliedBy(4).minusNanos(10));
    assertThat(vector.poll()).isFalse();
    pass(Duration.ofNanos(10));
    assertThat(vector.poll()).isTrue();
    assertThat(read(INTERRUPT_IDENTIFICATION)).isEqualTo(IIR_FIFOS | IIR_TIMEOUT);
    for (int i = 2; i <= 8; i++) {
      assertThat(read(LINE_STATUS) & LSR_DATA_READY).isNotZero();
      assertThat(read(RECEIVER_BUFFER)).isEqualTo(i);
    }
    assertThat(read(LINE_STATUS) & LSR_DATA_READY).isZero();
    assertThat(read(INTERRUPT_IDENTIFICATION)).isEqualTo(IIR_FIFOS | IIR_NONE);
  }

  @Test
  void whatNobodyReadsIsLost() {
    write(INTERRUPT_ENABLE, IER_RECEIVED | IER_LINE_STATUS);
    send(1, 2);
    assertThat(read(INTERRUPT_IDENTIFICATION)).as("the most urgent").isEqualTo(IIR_LINE_STATUS);
    assertThat(read(LINE_STATUS) & 0x1f).isEqualTo(LSR_DATA_READY | LSR_OVERRUN);
    assertThat(read(LINE_STATUS) & 0x1f).isEqualTo(LSR_DATA_READY);
    assertThat(read(INTERRUPT_IDENTIFICATION)).isEqualTo(IIR_RECEIVED);
    assertThat(read(RECEIVER_BUFFER)).as("without FIFOs, the newest stays").isEqualTo(2);
    write(FIFO_CONTROL, FCR_ENABLE);
    for (int i = 0; i < 17; i++) {
      send(i);
    }
    assertThat(read(LINE_STATUS) & LSR_OVERRUN).isNotZero();
    for (int i = 0; i < 16; i++) {
      assertThat(read(RECEIVER_BUFFER)).as("with them, the oldest do").isEqualTo(i);
    }
    assertThat(read(LINE_STATUS) & 0x1f).isZero();
  }

  @Test
  void errorsBelongToTheirCharacter() {
    write(FIFO_CONTROL, FCR_ENABLE);
    far.send('a', 0);
    far.send('b', LSR_PARITY);
    far.send(0, LSR_BREAK | LSR_FRAMING);
    pass(Duration.ofNanos(1));
    assertThat(read(LINE_STATUS) & LSR_ERROR_IN_FIFO).isNotZero();
    assertThat(read(LINE_STATUS) & 0x1f).isEqualTo(LSR_DATA_READY);
    assertThat(read(RECEIVER_BUFFER)).isEqualTo('a');
    assertThat(read(LINE_STATUS) & 0x1f).isEqualTo(LSR_DATA_READY | LSR_PARITY);
    assertThat(read(LINE_STATUS) & 0x1f).isEqualTo(LSR_DATA_READY);
    assertThat(read(RECEIVER_BUFFER)).isEqualTo('b');
    assertThat(read(LINE_STATUS) & 0x1f).isEqualTo(LSR_DATA_READY | LSR_BREAK | LSR_FRAMING);
  }

  @Test
  void anErrorStaysUntilItIsAskedFor() {
    far.send('x', LSR_PARITY);
    pass(Duration.ofNanos(1));
    assertThat(read(RECEIVER_BUFFER)).isEqualTo('x');
    send('y');
    assertThat(read(LINE_STATUS) & 0x9f).isEqualTo(LSR_DATA_READY | LSR_PARITY);
    assertThat(read(LINE_STATUS) & 0x9f).isEqualTo(LSR_DATA_READY);

    write(FIFO_CONTROL, FCR_ENABLE);
    write(INTERRUPT_ENABLE, IER_LINE_STATUS);
    far.send('a', LSR_FRAMING);
    far.send('b', 0);
    far.send('c', LSR_PARITY);
    pass(Duration.ofNanos(1));
    assertThat(read(RECEIVER_BUFFER)).isEqualTo('a');
    assertThat(read(INTERRUPT_IDENTIFICATION)).isEqualTo(IIR_FIFOS | IIR_LINE_STATUS);
    assertThat(read(LINE_STATUS) & 0x9f)
        .isEqualTo(LSR_DATA_READY | LSR_FRAMING | LSR_ERROR_IN_FIFO);
    assertThat(read(INTERRUPT_IDENTIFICATION)).isEqualTo(IIR_FIFOS | IIR_NONE);
    assertThat(read(LINE_STATUS) & 0x9f).isEqualTo(LSR_DATA_READY | LSR_ERROR_IN_FIFO);
    assertThat(read(RECEIVER_BUFFER)).isEqualTo('b');
    assertThat(read(RECEIVER_BUFFER)).isEqualTo('c');
    assertThat(read(LINE_STATUS) & 0x9f).isEqualTo(LSR_PARITY | LSR_ERROR_IN_FIFO);
    assertThat(read(LINE_STATUS) & 0x9f).isZero();
  }

  @Test
  void saysOnceThatItTakesMore() {
    Vector vector = device.interrupts().enable(Interrupts.Kind.INTX, 1).getFirst();
    write(INTERRUPT_ENABLE, IER_TRANSMITTER_EMPTY);
    assertThat(vector.poll()).isTrue();
    assertThat(read(INTERRUPT_IDENTIFICATION)).isEqualTo(IIR_TRANSMITTER_EMPTY);
    assertThat(read(INTERRUPT_IDENTIFICATION)).isEqualTo(IIR_NONE);
    vector.mask(false);
    assertThat(vector.poll()).isFalse();
    write(TRANSMITTER_HOLDING, 'x');
    assertThat(vector.poll()).as("it is in the shift register already").isTrue();
    write(TRANSMITTER_HOLDING, 'y');
    assertThat(read(INTERRUPT_IDENTIFICATION)).as("ended by writing").isEqualTo(IIR_NONE);
  }

  @Test
  void signalsGoOverACable() {
    write(MODEM_CONTROL, MCR_DTR | MCR_RTS);
    pass(Duration.ZERO);
    assertThat(signals.getLast()).isEqualTo("DTR RTS");
    assertThat(read(MODEM_STATUS)).isZero();
    write(INTERRUPT_ENABLE, IER_MODEM_STATUS);
    far.signal(true, false);
    pass(Duration.ofNanos(1));
    assertThat(read(INTERRUPT_IDENTIFICATION)).isEqualTo(IIR_MODEM_STATUS);
    assertThat(read(MODEM_STATUS)).isEqualTo(MSR_DSR | MSR_DCD | MSR_DELTA_DSR | MSR_DELTA_DCD);
    assertThat(read(MODEM_STATUS)).isEqualTo(MSR_DSR | MSR_DCD);
    assertThat(read(INTERRUPT_IDENTIFICATION)).isEqualTo(IIR_NONE);
    far.signal(true, true);
    pass(Duration.ofNanos(1));
    assertThat(read(MODEM_STATUS)).isEqualTo(MSR_DSR | MSR_DCD | MSR_CTS | MSR_DELTA_CTS);
  }

  @Test
  void testsItselfInALoop() {
    write(FIFO_CONTROL, FCR_ENABLE);
    write(MODEM_CONTROL, MCR_DTR | MCR_RTS);
    write(MODEM_CONTROL, MCR_LOOPBACK | MCR_RTS | MCR_OUT1 | MCR_OUT2);
    pass(Duration.ZERO);
    assertThat(signals.getLast()).as("nothing leaves it").isEmpty();
    assertThat(read(MODEM_STATUS) & 0xf0).isEqualTo(MSR_CTS | MSR_RI | MSR_DCD);
    write(TRANSMITTER_HOLDING, 0x42);
    send(0x43);
    pass(CHARACTER);
    assertThat(read(RECEIVER_BUFFER)).isEqualTo(0x42);
    assertThat(read(LINE_STATUS) & LSR_DATA_READY).isZero();
    assertThat(arrived).isEmpty();
    write(MODEM_CONTROL, MCR_LOOPBACK);
    assertThat(read(MODEM_STATUS) & 0x0f)
        .as("what has ended")
        .isEqualTo(MSR_DELTA_CTS | MSR_TRAILING_RI | MSR_DELTA_DCD);
  }

  @Test
  void aLineHasOneDeviceAtAnEnd() {
    assertThatThrownBy(() -> bus.plug("second", new SerialModel(cable.getFirst())))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("somebody is at this end");
    bus.unplug(device.name());
    bus.plug("second", new SerialModel(cable.getFirst()));
  }

  @Test
  void withoutALineAllIsReady() {
    PciDevice alone = bus.open(bus.plug("alone", new SerialModel(SerialEnd.unconnected())));
    PortIo ports = alone.bar(0).orElseThrow().ports();
    assertThat(ports.read8(MODEM_STATUS)).isEqualTo(MSR_CTS | MSR_DSR | MSR_DCD);
  }
}
