package org.gatun.pci.config;

/**
 * What a function does (PCI Code and ID Assignment Specification, 1).
 *
 * @param code base class, subclass and programming interface, 24 bits: 0x010802 is NVMe
 */
public record PciClass(int code) {
  /**
   * @throws IllegalArgumentException if it does not fit 24 bits
   */
  public PciClass {
    if ((code & ~0xffffff) != 0) {
      throw new IllegalArgumentException("a PCI class has 24 bits, not 0x%x".formatted(code));
    }
  }

  /** Reads it. */
  public static PciClass of(ConfigSpace config) {
    return new PciClass(config.read32(ConfigRegisters.REVISION_ID) >>> 8);
  }

  /** Base class, 8 bits. */
  public int base() {
    return code >>> 16;
  }

  /** Subclass, 8 bits. */
  public int subclass() {
    return (code >>> 8) & 0xff;
  }

  /** Programming interface, 8 bits. */
  public int programmingInterface() {
    return code & 0xff;
  }

  /** Six hexadecimal digits. */
  @Override
  public String toString() {
    return "%06x".formatted(code);
  }
}
