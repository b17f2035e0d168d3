package org.gatun.specs.nvme;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** The Commands Supported and Effects log page, LID 05h (Base 5.16.1.6): a word for each opcode. */
public final class CommandEffectsLog {
  /** Size in bytes. */
  public static final int SIZE = 4096;

  /** The words of Admin commands, by opcode. */
  public static final int ACS = 0;

  /** The words of I/O commands, by opcode. */
  public static final int IOCS = 1024;

  /** CSUPP: the command is supported. */
  public static final int CSUPP = 1 << 0;

  /** LBCC: it may change data in logical blocks. */
  public static final int LBCC = 1 << 1;

  /** NCC: it may change what a namespace says of itself. */
  public static final int NCC = 1 << 2;

  /** NIC: it may change how many namespaces there are. */
  public static final int NIC = 1 << 3;

  /** CCC: it may change what the controller says of itself. */
  public static final int CCC = 1 << 4;

  /** CSE: no other command to the same namespace should be outstanding. */
  public static final int CSE_NAMESPACE = 1 << 16;

  /** CSE: no other command to any namespace should be outstanding. */
  public static final int CSE_ANY = 2 << 16;

  private static final int OPCODES = 256;

  private final MemorySegment data;

  /**
   * A view of the first {@link #SIZE} bytes: reads and writes go there.
   *
   * @throws IllegalArgumentException if the memory is shorter
   */
  public CommandEffectsLog(MemorySegment data) {
    this.data = LittleEndian.slice("Commands Supported and Effects log", data, SIZE);
  }

  /** Returns a view of new heap memory, all zero: no command. */
  public static CommandEffectsLog create() {
    return new CommandEffectsLog(LittleEndian.zeroes(SIZE));
  }

  /** Returns the memory, {@link #SIZE} bytes. */
  public MemorySegment segment() {
    return data;
  }

  /** Returns the word of an Admin command: {@link #CSUPP} and so on. */
  public int admin(int opcode) {
    return LittleEndian.getI32(data, ACS + offset(opcode));
  }

  /** Sets the word of an Admin command. */
  public void setAdmin(int opcode, int effects) {
    LittleEndian.putI32(data, ACS + offset(opcode), effects);
  }

  /** Returns the word of an I/O command: {@link #CSUPP} and so on. */
  public int io(int opcode) {
    return LittleEndian.getI32(data, IOCS + offset(opcode));
  }

  /** Sets the word of an I/O command. */
  public void setIo(int opcode, int effects) {
    LittleEndian.putI32(data, IOCS + offset(opcode), effects);
  }

  private static long offset(int opcode) {
    return 4L * Objects.checkIndex(opcode, OPCODES);
  }
}
