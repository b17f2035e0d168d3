package org.gatun.pci.config;

/**
 * Who made a function, and what it is. 16 bits each.
 *
 * @param subsystemVendor 0 where there is none (a bridge)
 * @param subsystem 0 where there is none
 */
public record PciId(int vendor, int device, int subsystemVendor, int subsystem) {
  /**
   * @throws IllegalArgumentException if a part does not fit 16 bits
   */
  public PciId {
    if (((vendor | device | subsystemVendor | subsystem) & ~0xffff) != 0) {
      throw new IllegalArgumentException("a PCI id has 16 bits");
    }
  }

  /** Reads them. */
  public static PciId of(ConfigSpace config) {
    boolean endpoint =
        (config.read8(ConfigRegisters.HEADER_TYPE) & ConfigRegisters.HEADER_TYPE_MASK) == 0;
    return new PciId(
        config.read16(ConfigRegisters.VENDOR_ID),
        config.read16(ConfigRegisters.DEVICE_ID),
        endpoint ? config.read16(ConfigRegisters.SUBSYSTEM_VENDOR_ID) : 0,
        endpoint ? config.read16(ConfigRegisters.SUBSYSTEM_ID) : 0);
  }

  /** As {@code vvvv:dddd}. */
  @Override
  public String toString() {
    return "%04x:%04x".formatted(vendor, device);
  }
}
