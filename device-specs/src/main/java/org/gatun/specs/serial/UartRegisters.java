package org.gatun.specs.serial;

/**
 * The registers and bits of a 16550 UART (National Semiconductor, PC16550D, 8.0 Registers), all of
 * a byte, and the identity of the PCI function that QEMU makes of one (QEMU {@code
 * docs/specs/pci-serial.rst}).
 *
 * <p>Two of them have another meaning while {@link #LCR_DIVISOR_LATCH} is set, and two have one
 * meaning for reads and another for writes.
 */
public final class UartRegisters {
  /** PCI vendor id of QEMU's (Red Hat's). */
  public static final int VENDOR_ID = 0x1b36;

  /** PCI device id of QEMU's with one port. */
  public static final int DEVICE_ID = 0x0002;

  /** PCI class: communication, serial, 16550-compatible (PCI Code and ID Assignment, 1.7). */
  public static final int PCI_CLASS = 0x070002;

  /** The BAR with the registers: of I/O ports. */
  public static final int BAR = 0;

  /** Size of the BAR in bytes. */
  public static final long BAR_SIZE = 8;

  /** What the baud rate generator divides, in characters' bits a second: 1.8432 MHz / 16. */
  public static final int BASE_BAUD = 115_200;

  /** Bytes that each FIFO holds. */
  public static final int FIFO_SIZE = 16;

  /** RBR, read only: the oldest byte received. */
  public static final long RECEIVER_BUFFER = 0;

  /** THR, write only: the next byte to transmit. */
  public static final long TRANSMITTER_HOLDING = 0;

  /** IER, read and write: {@link #IER_RECEIVED} and its like. */
  public static final long INTERRUPT_ENABLE = 1;

  /** IIR, read only: what interrupts, the most urgent if there are several. */
  public static final long INTERRUPT_IDENTIFICATION = 2;

  /** FCR, write only: {@link #FCR_ENABLE} and its like. */
  public static final long FIFO_CONTROL = 2;

  /** LCR, read and write: format of characters, and the divisor latch. */
  public static final long LINE_CONTROL = 3;

  /** MCR, read and write: {@link #MCR_DTR} and its like. */
  public static final long MODEM_CONTROL = 4;

  /** LSR, read only: {@link #LSR_DATA_READY} and its like. */
  public static final long LINE_STATUS = 5;

  /** MSR, read only: {@link #MSR_CTS} and its like; a read clears the lower half. */
  public static final long MODEM_STATUS = 6;

  /** SCR, read and write: of no meaning to the device. */
  public static final long SCRATCH = 7;

  /** DLL, read and write while {@link #LCR_DIVISOR_LATCH} is set: the divisor's low byte. */
  public static final long DIVISOR_LOW = 0;

  /** DLM, read and write while {@link #LCR_DIVISOR_LATCH} is set: the divisor's high byte. */
  public static final long DIVISOR_HIGH = 1;

  /** {@link #INTERRUPT_ENABLE}: data was received, or waits for longer than 4 characters take. */
  public static final int IER_RECEIVED = 0x01;

  /** {@link #INTERRUPT_ENABLE}: the transmitter takes more. */
  public static final int IER_TRANSMITTER_EMPTY = 0x02;

  /** {@link #INTERRUPT_ENABLE}: overrun, parity, framing, break. */
  public static final int IER_LINE_STATUS = 0x04;

  /** {@link #INTERRUPT_ENABLE}: a modem signal has changed. */
  public static final int IER_MODEM_STATUS = 0x08;

  /** {@link #INTERRUPT_IDENTIFICATION}: nothing interrupts. */
  public static final int IIR_NONE = 0x01;

  /** {@link #INTERRUPT_IDENTIFICATION}: the bits that say what interrupts. */
  public static final int IIR_CAUSE = 0x0f;

  /** {@link #IIR_CAUSE}: line status, ended by reading that. The most urgent. */
  public static final int IIR_LINE_STATUS = 0x06;

  /** {@link #IIR_CAUSE}: as much as the trigger level was received, ended by reading it. */
  public static final int IIR_RECEIVED = 0x04;

  /** {@link #IIR_CAUSE}: less was received, and for 4 characters nothing more. */
  public static final int IIR_TIMEOUT = 0x0c;

  /** {@link #IIR_CAUSE}: the transmitter takes more, ended by this read, or by writing. */
  public static final int IIR_TRANSMITTER_EMPTY = 0x02;

  /** {@link #IIR_CAUSE}: modem status, ended by reading that. The least urgent. */
  public static final int IIR_MODEM_STATUS = 0x00;

  /** {@link #INTERRUPT_IDENTIFICATION}: both bits set while the FIFOs are enabled. */
  public static final int IIR_FIFOS = 0xc0;

  /** {@link #FIFO_CONTROL}: enables both FIFOs; without it the other bits do nothing. */
  public static final int FCR_ENABLE = 0x01;

  /** {@link #FIFO_CONTROL}: empties the receiver's FIFO. */
  public static final int FCR_CLEAR_RECEIVER = 0x02;

  /** {@link #FIFO_CONTROL}: empties the transmitter's FIFO. */
  public static final int FCR_CLEAR_TRANSMITTER = 0x04;

  /** {@link #FIFO_CONTROL}: the receiver's trigger level, as {@link #triggerLevel} has it. */
  public static final int FCR_TRIGGER = 0xc0;

  /** {@link #FIFO_CONTROL}: a trigger level of 8 bytes. */
  public static final int FCR_TRIGGER_8 = 0x80;

  /** {@link #LINE_CONTROL}: characters of 5 bits and this number. */
  public static final int LCR_WORD_LENGTH = 0x03;

  /** {@link #LINE_CONTROL}: two stop bits. */
  public static final int LCR_TWO_STOP_BITS = 0x04;

  /** {@link #LINE_CONTROL}: a parity bit. */
  public static final int LCR_PARITY = 0x08;

  /** {@link #LINE_CONTROL}: even parity. */
  public static final int LCR_EVEN_PARITY = 0x10;

  /** {@link #LINE_CONTROL}: the line is held at break. */
  public static final int LCR_BREAK = 0x40;

  /** {@link #LINE_CONTROL}: registers 0 and 1 are the divisor. */
  public static final int LCR_DIVISOR_LATCH = 0x80;

  /** {@link #MODEM_CONTROL}: data terminal ready. */
  public static final int MCR_DTR = 0x01;

  /** {@link #MODEM_CONTROL}: request to send. */
  public static final int MCR_RTS = 0x02;

  /** {@link #MODEM_CONTROL}: of no use of its own. */
  public static final int MCR_OUT1 = 0x04;

  /** {@link #MODEM_CONTROL}: in PCs, lets the interrupt out. */
  public static final int MCR_OUT2 = 0x08;

  /** {@link #MODEM_CONTROL}: what is transmitted is received, and nothing leaves. */
  public static final int MCR_LOOPBACK = 0x10;

  /** {@link #LINE_STATUS}: there is a byte to read. */
  public static final int LSR_DATA_READY = 0x01;

  /** {@link #LINE_STATUS}: a byte was lost, as nobody had read in time. A read clears it. */
  public static final int LSR_OVERRUN = 0x02;

  /** {@link #LINE_STATUS}: the oldest byte has a wrong parity. A read clears it. */
  public static final int LSR_PARITY = 0x04;

  /** {@link #LINE_STATUS}: the oldest byte has no stop bit. A read clears it. */
  public static final int LSR_FRAMING = 0x08;

  /** {@link #LINE_STATUS}: the oldest byte, a zero, was a break. A read clears it. */
  public static final int LSR_BREAK = 0x10;

  /** {@link #LINE_STATUS}: the transmitter takes bytes: 16 with FIFOs, else one. */
  public static final int LSR_TRANSMITTER_HOLDING_EMPTY = 0x20;

  /** {@link #LINE_STATUS}: all has left the transmitter. */
  public static final int LSR_TRANSMITTER_EMPTY = 0x40;

  /** {@link #LINE_STATUS}: with FIFOs, some byte that was received has an error. */
  public static final int LSR_ERROR_IN_FIFO = 0x80;

  /** {@link #MODEM_STATUS}: {@link #MSR_CTS} has changed. */
  public static final int MSR_DELTA_CTS = 0x01;

  /** {@link #MODEM_STATUS}: {@link #MSR_DSR} has changed. */
  public static final int MSR_DELTA_DSR = 0x02;

  /** {@link #MODEM_STATUS}: {@link #MSR_RI} has ended. */
  public static final int MSR_TRAILING_RI = 0x04;

  /** {@link #MODEM_STATUS}: {@link #MSR_DCD} has changed. */
  public static final int MSR_DELTA_DCD = 0x08;

  /** {@link #MODEM_STATUS}: clear to send. */
  public static final int MSR_CTS = 0x10;

  /** {@link #MODEM_STATUS}: data set ready. */
  public static final int MSR_DSR = 0x20;

  /** {@link #MODEM_STATUS}: ring indicator. */
  public static final int MSR_RI = 0x40;

  /** {@link #MODEM_STATUS}: data carrier detect. */
  public static final int MSR_DCD = 0x80;

  private UartRegisters() {}

  /** How many bytes the receiver waits for, by the bits of {@link #FIFO_CONTROL}. */
  public static int triggerLevel(int fifoControl) {
    return switch (fifoControl & FCR_TRIGGER) {
      case 0x00 -> 1;
      case 0x40 -> 4;
      case FCR_TRIGGER_8 -> 8;
      default -> 14;
    };
  }
}
