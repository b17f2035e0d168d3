package org.gatun.pci.config;

/**
 * Offsets and bits of the configuration header (PCI Local Bus Specification 3.0, 6.1; PCI Express
 * Base Specification, 7.5.1).
 */
public final class ConfigRegisters {
  public static final int VENDOR_ID = 0x00;
  public static final int DEVICE_ID = 0x02;
  public static final int COMMAND = 0x04;
  public static final int STATUS = 0x06;
  public static final int REVISION_ID = 0x08;

  /** Three bytes: programming interface, subclass, base class. */
  public static final int CLASS_CODE = 0x09;

  public static final int CACHE_LINE_SIZE = 0x0c;
  public static final int LATENCY_TIMER = 0x0d;
  public static final int HEADER_TYPE = 0x0e;
  public static final int BIST = 0x0f;

  /** The first of six (type 0) or two (type 1), 4 bytes each. */
  public static final int BAR0 = 0x10;

  public static final int SUBSYSTEM_VENDOR_ID = 0x2c;
  public static final int SUBSYSTEM_ID = 0x2e;

  /** The expansion ROM's base address, in a type 0 header. */
  public static final int ROM = 0x30;

  public static final int CAPABILITIES_POINTER = 0x34;

  /** The expansion ROM's base address, in a type 1 header. */
  public static final int BRIDGE_ROM = 0x38;

  public static final int INTERRUPT_LINE = 0x3c;

  /** 0 none, 1 to 4 for INTA to INTD. */
  public static final int INTERRUPT_PIN = 0x3d;

  /** Where the device-dependent part begins: no capability can be below. */
  public static final int HEADER_END = 0x40;

  /** Where extended capabilities begin. */
  public static final int EXTENDED = 0x100;

  /** The size of conventional config space. */
  public static final int CONVENTIONAL_SIZE = 256;

  /** The size of PCI Express config space. */
  public static final int EXPRESS_SIZE = 4096;

  public static final int COMMAND_IO = 1;
  public static final int COMMAND_MEMORY = 1 << 1;
  public static final int COMMAND_BUS_MASTER = 1 << 2;
  public static final int COMMAND_PARITY = 1 << 6;
  public static final int COMMAND_SERR = 1 << 8;
  public static final int COMMAND_INTX_DISABLE = 1 << 10;

  public static final int STATUS_INTERRUPT = 1 << 3;
  public static final int STATUS_CAPABILITIES = 1 << 4;

  public static final int HEADER_TYPE_MASK = 0x7f;
  public static final int HEADER_TYPE_MULTI_FUNCTION = 0x80;

  private ConfigRegisters() {}
}
