package org.gatun.specs.nvme;

/**
 * Which way the data of a command go: bits 1:0 of its opcode (Base, figure "Opcode" of Admin and of
 * I/O commands). It says nothing of whether this command has any.
 */
public enum DataTransfer {
  /** 00b: no data. */
  NONE,
  /** 01b: from the host to the controller. */
  HOST_TO_CONTROLLER,
  /** 10b: from the controller to the host. */
  CONTROLLER_TO_HOST,
  /** 11b: both ways. */
  BIDIRECTIONAL;

  private static final DataTransfer[] BY_BITS = values();

  /** Returns that of an opcode, 0 to 255. */
  public static DataTransfer of(int opcode) {
    return BY_BITS[opcode & 3];
  }

  /** Says whether the controller gets data. */
  public boolean isToController() {
    return this == HOST_TO_CONTROLLER || this == BIDIRECTIONAL;
  }

  /** Says whether the host gets data. */
  public boolean isToHost() {
    return this == CONTROLLER_TO_HOST || this == BIDIRECTIONAL;
  }
}
