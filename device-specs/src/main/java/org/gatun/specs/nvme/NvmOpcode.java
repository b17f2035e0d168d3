package org.gatun.specs.nvme;

import java.util.HexFormat;

/**
 * Opcodes of I/O commands of the NVM Command Set (Base 7, NVM 3).
 *
 * <p>Bits 1:0 of an opcode are the direction of the data transfer: 0 none, 1 host to controller, 2
 * controller to host, 3 both.
 */
public final class NvmOpcode {
  /** 00h: Flush. */
  public static final int FLUSH = 0x00;

  /** 01h: Write. */
  public static final int WRITE = 0x01;

  /** 02h: Read. */
  public static final int READ = 0x02;

  /** 04h: Write Uncorrectable. */
  public static final int WRITE_UNCORRECTABLE = 0x04;

  /** 05h: Compare. */
  public static final int COMPARE = 0x05;

  /** 08h: Write Zeroes. */
  public static final int WRITE_ZEROES = 0x08;

  /** 09h: Dataset Management. */
  public static final int DATASET_MANAGEMENT = 0x09;

  /** 0Ch: Verify. */
  public static final int VERIFY = 0x0c;

  /** 0Dh: Reservation Register. */
  public static final int RESERVATION_REGISTER = 0x0d;

  /** 0Eh: Reservation Report. */
  public static final int RESERVATION_REPORT = 0x0e;

  /** 11h: Reservation Acquire. */
  public static final int RESERVATION_ACQUIRE = 0x11;

  /** 15h: Reservation Release. */
  public static final int RESERVATION_RELEASE = 0x15;

  /** 19h: Copy. */
  public static final int COPY = 0x19;

  private NvmOpcode() {}

  /** Returns the name as in the specification of any opcode, 0 to 255, for a message. */
  public static String name(int opcode) {
    return switch (opcode) {
      case FLUSH -> "Flush";
      case WRITE -> "Write";
      case READ -> "Read";
      case WRITE_UNCORRECTABLE -> "Write Uncorrectable";
      case COMPARE -> "Compare";
      case WRITE_ZEROES -> "Write Zeroes";
      case DATASET_MANAGEMENT -> "Dataset Management";
      case VERIFY -> "Verify";
      case RESERVATION_REGISTER -> "Reservation Register";
      case RESERVATION_REPORT -> "Reservation Report";
      case RESERVATION_ACQUIRE -> "Reservation Acquire";
      case RESERVATION_RELEASE -> "Reservation Release";
      case COPY -> "Copy";
      default ->
          (opcode >= 0x80 ? "vendor specific I/O command " : "unknown I/O command ")
              + HexFormat.of().withUpperCase().toHexDigits((byte) opcode)
              + "h";
    };
  }
}
