package org.gatun.pci;

/** What a device may do with a mapped range of memory. */
public enum DmaDirection {
  /** The device reads it, and a write by the device is a fault. */
  TO_DEVICE,
  /** The device writes it, and a read by the device may be a fault. */
  FROM_DEVICE,
  /** The device reads and writes it. */
  BIDIRECTIONAL
}
