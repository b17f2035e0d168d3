package org.gatun.specs.virtio;

/** How a PCI function shows that it is a virtio device, and where what is (4.1). */
public final class VirtioPci {
  /** PCI vendor id. */
  public static final int VENDOR_ID = 0x1af4;

  /** PCI device id of a modern device: this and its {@linkplain VirtioType type} (4.1.2.1). */
  public static final int FIRST_DEVICE_ID = 0x1040;

  /** {@link #TYPE} of a capability: the structure of {@link VirtioCommon}. */
  public static final int COMMON_CONFIG = 1;

  /** {@link #TYPE}: where a driver notifies the device. */
  public static final int NOTIFY_CONFIG = 2;

  /**
   * {@link #TYPE}: a byte that says why the interrupt pin is asserted, and is cleared by a read.
   */
  public static final int ISR_CONFIG = 3;

  /** {@link #TYPE}: what each type of device has of its own. */
  public static final int DEVICE_CONFIG = 4;

  /** {@link #TYPE}: a window through config space to the others. */
  public static final int PCI_CONFIG = 5;

  // The capability, of vendor-specific id (4.1.4), by offset.

  /** 8 bits: its length in bytes. */
  public static final int LENGTH = 2;

  /** 8 bits: what it locates. */
  public static final int TYPE = 3;

  /** 8 bits: in which BAR. */
  public static final int BAR = 4;

  /** 32 bits: where in the BAR that begins. */
  public static final int OFFSET = 8;

  /** 32 bits: how long it is. */
  public static final int SIZE = 12;

  /** 32 bits, of {@link #NOTIFY_CONFIG}: what a queue's notify offset is multiplied by. */
  public static final int NOTIFY_MULTIPLIER = 16;

  /** 32 bits, of {@link #PCI_CONFIG}: what is read or written through the window. */
  public static final int WINDOW = 16;

  /** Bytes of a capability, without what the type adds. */
  public static final int CAPABILITY_SIZE = 16;

  /** Bytes of a capability of {@link #NOTIFY_CONFIG} or {@link #PCI_CONFIG}. */
  public static final int LONG_CAPABILITY_SIZE = 20;

  /** ISR: a queue has been used. */
  public static final int ISR_QUEUE = 0x01;

  /** ISR: the device's configuration has changed. */
  public static final int ISR_CONFIG_CHANGE = 0x02;

  /** Instead of a number of an MSI-X vector: none. */
  public static final int NO_VECTOR = 0xffff;

  private VirtioPci() {}
}
