package org.gatun.specs.virtio;

/**
 * A virtqueue of the split kind (2.7), by offset: a table of descriptors, a ring of what is
 * available to the device, and one of what it has used.
 */
public final class SplitRing {
  /** The most entries. */
  public static final int LARGEST = 32_768;

  // 2.7.5: a descriptor.

  /** Bytes of a descriptor, and what a table is aligned to. */
  public static final int DESCRIPTOR_SIZE = 16;

  /** Of a descriptor, 64 bits: the buffer's bus address. */
  public static final int ADDRESS = 0;

  /** Of a descriptor, 32 bits: its length in bytes. */
  public static final int LENGTH = 8;

  /** Of a descriptor, 16 bits: {@link #NEXT} and its like. */
  public static final int FLAGS = 12;

  /** Of a descriptor, 16 bits: which one follows. */
  public static final int FOLLOWING = 14;

  /** Flag of a descriptor: another one follows. */
  public static final int NEXT = 0x01;

  /** Flag of a descriptor: the device writes the buffer; else it reads it. */
  public static final int WRITE = 0x02;

  /** Flag of a descriptor: the buffer is a table of descriptors. */
  public static final int INDIRECT = 0x04;

  // 2.7.6 and 2.7.8: the rings.

  /** Of both rings, 16 bits: {@link #NO_INTERRUPT}, {@link #NO_NOTIFY}. */
  public static final int RING_FLAGS = 0;

  /** Of both rings, 16 bits: how many entries there have been, modulo 65536. */
  public static final int RING_INDEX = 2;

  /** Of both rings: the first entry. */
  public static final int ENTRIES = 4;

  /** Bytes of an entry of the available ring: the first descriptor of a chain, 16 bits. */
  public static final int AVAILABLE_SIZE = 2;

  /** Bytes of an entry of the used ring: the first descriptor, and the bytes written. */
  public static final int USED_SIZE = 8;

  /** Flag of the available ring: the driver wants no interrupts. */
  public static final int NO_INTERRUPT = 0x01;

  /** Flag of the used ring: the device wants no notifications. */
  public static final int NO_NOTIFY = 0x01;

  /** What the available ring is aligned to. */
  public static final int AVAILABLE_ALIGNMENT = 2;

  /** What the used ring is aligned to. */
  public static final int USED_ALIGNMENT = 4;

  private SplitRing() {}

  /** Bytes of the table of descriptors. */
  public static int descriptorsSize(int entries) {
    return entries * DESCRIPTOR_SIZE;
  }

  /** Bytes of the available ring, the index of the event at its end included. */
  public static int availableSize(int entries) {
    return ENTRIES + entries * AVAILABLE_SIZE + Short.BYTES;
  }

  /** Bytes of the used ring, the index of the event at its end included. */
  public static int usedSize(int entries) {
    return ENTRIES + entries * USED_SIZE + Short.BYTES;
  }

  /** Where in the available ring the driver says which interrupt it wants. */
  public static int usedEvent(int entries) {
    return ENTRIES + entries * AVAILABLE_SIZE;
  }

  /** Where in the used ring the device says which notification it wants. */
  public static int availableEvent(int entries) {
    return ENTRIES + entries * USED_SIZE;
  }
}
