package org.gatun.driver.serial;

import org.gatun.specs.serial.UartRegisters;

/**
 * How characters go over a line. Both ends have to mean the same.
 *
 * @param baud bits a second: 115200 divided by a whole number, down to 2
 * @param dataBits 5 to 8
 * @param stopBits 1 or 2; with 5 data bits, 2 means one and a half
 */
public record SerialFormat(int baud, int dataBits, Parity parity, int stopBits) {
  /** Whether there is a parity bit. */
  public enum Parity {
    /** There is none. */
    NONE,
    /** It makes the number of ones even. */
    EVEN,
    /** It makes the number of ones odd. */
    ODD
  }

  private static final int LARGEST_DIVISOR = 0xffff;

  /** 115200 baud, 8 data bits, no parity, 1 stop bit. */
  public static final SerialFormat DEFAULT = new SerialFormat(115_200, 8, Parity.NONE, 1);

  /**
   * @throws IllegalArgumentException if a part breaks its rule
   */
  public SerialFormat {
    if (baud < 1
        || UartRegisters.BASE_BAUD % baud != 0
        || UartRegisters.BASE_BAUD / baud > LARGEST_DIVISOR) {
      throw new IllegalArgumentException(
          "%d baud: there are 115200 divided by 1 to 65535 without a rest".formatted(baud));
    }
    if (dataBits < 5 || dataBits > 8) {
      throw new IllegalArgumentException("a character has 5 to 8 bits, not " + dataBits);
    }
    if (stopBits < 1 || stopBits > 2) {
      throw new IllegalArgumentException("there are 1 or 2 stop bits, not " + stopBits);
    }
  }

  /** The same with another speed. */
  public SerialFormat withBaud(int value) {
    return new SerialFormat(value, dataBits, parity, stopBits);
  }

  int divisor() {
    return UartRegisters.BASE_BAUD / baud;
  }

  /** The line control register. */
  int lineControl() {
    return (dataBits - 5)
        | (stopBits == 2 ? UartRegisters.LCR_TWO_STOP_BITS : 0)
        | switch (parity) {
          case NONE -> 0;
          case EVEN -> UartRegisters.LCR_PARITY | UartRegisters.LCR_EVEN_PARITY;
          case ODD -> UartRegisters.LCR_PARITY;
        };
  }

  /** How long so many characters take at most, in nanoseconds. */
  long nanos(long characters) {
    long bits = 1L + dataBits + (parity == Parity.NONE ? 0 : 1) + stopBits;
    return Math.ceilDiv(1_000_000_000L * bits * characters, baud);
  }
}
