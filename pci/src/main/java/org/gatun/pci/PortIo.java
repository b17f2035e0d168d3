package org.gatun.pci;

/**
 * The I/O ports of a device: an I/O BAR. One call is one port access of exactly that width. Offsets
 * count from the start of the BAR. Errors as for {@link Mmio}. Any thread.
 */
public interface PortIo {
  /** The size of the BAR in bytes. */
  long size();

  /** Reads 8 bits, zero-extended. */
  int read8(long offset);

  /** Reads 16 bits, zero-extended. */
  int read16(long offset);

  /** Reads 32 bits. */
  int read32(long offset);

  /** Writes the low 8 bits. */
  void write8(long offset, int value);

  /** Writes the low 16 bits. */
  void write16(long offset, int value);

  /** Writes 32 bits. */
  void write32(long offset, int value);
}
