package org.gatun.specs.virtio;

/** The common configuration structure (4.1.4.3), by offset, and what it holds. */
public final class VirtioCommon {
  /** 32 bits, read and write: which 32 feature bits {@link #DEVICE_FEATURE} shows. */
  public static final int DEVICE_FEATURE_SELECT = 0x00;

  /** 32 bits, read only: features that the device offers. */
  public static final int DEVICE_FEATURE = 0x04;

  /** 32 bits, read and write: which 32 feature bits {@link #DRIVER_FEATURE} is. */
  public static final int DRIVER_FEATURE_SELECT = 0x08;

  /** 32 bits, read and write: features that the driver accepts. */
  public static final int DRIVER_FEATURE = 0x0c;

  /** 16 bits, read and write: the MSI-X vector of configuration changes. */
  public static final int CONFIG_VECTOR = 0x10;

  /** 16 bits, read only: how many queues there are. */
  public static final int QUEUES = 0x12;

  /** 8 bits, read and write: {@link #ACKNOWLEDGE} and its like; a written 0 resets the device. */
  public static final int STATUS = 0x14;

  /** 8 bits, read only: changes with the device's configuration. */
  public static final int CONFIG_GENERATION = 0x15;

  /** 16 bits, read and write: which queue the following are of. */
  public static final int QUEUE_SELECT = 0x16;

  /** 16 bits, read and write: its entries, a power of two; 0 if there is no such queue. */
  public static final int QUEUE_SIZE = 0x18;

  /** 16 bits, read and write: its MSI-X vector. */
  public static final int QUEUE_VECTOR = 0x1a;

  /** 16 bits, read and write: whether it works. A driver writes only 1. */
  public static final int QUEUE_ENABLE = 0x1c;

  /** 16 bits, read only: where it is notified, before the multiplication. */
  public static final int QUEUE_NOTIFY_OFFSET = 0x1e;

  /** 64 bits, read and write as two halves: the bus address of its descriptors. */
  public static final int QUEUE_DESCRIPTORS = 0x20;

  /** 64 bits, read and write as two halves: the bus address of its available ring. */
  public static final int QUEUE_AVAILABLE = 0x28;

  /** 64 bits, read and write as two halves: the bus address of its used ring. */
  public static final int QUEUE_USED = 0x30;

  /** Bytes of the structure that each modern device has. */
  public static final int SIZE = 0x38;

  /** {@link #STATUS}: the driver has found the device (2.1). */
  public static final int ACKNOWLEDGE = 0x01;

  /** {@link #STATUS}: the driver knows how to drive it. */
  public static final int DRIVER = 0x02;

  /** {@link #STATUS}: the driver is ready, and drives it. */
  public static final int DRIVER_OK = 0x04;

  /** {@link #STATUS}: the features are agreed on, if it stays set. */
  public static final int FEATURES_OK = 0x08;

  /** {@link #STATUS}: the device has lost its way, and wants a reset. */
  public static final int NEEDS_RESET = 0x40;

  /** {@link #STATUS}: the driver has given up. */
  public static final int FAILED = 0x80;

  private VirtioCommon() {}
}
