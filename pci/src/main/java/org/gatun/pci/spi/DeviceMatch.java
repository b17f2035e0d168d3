package org.gatun.pci.spi;

import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;

/** Which devices a guest can drive. */
public sealed interface DeviceMatch {
  /** One model: vendor and device id, 16 bits each. */
  record ById(int vendor, int device) implements DeviceMatch {
    @Override
    public boolean matches(PciId id, PciClass pciClass) {
      return id.vendor() == vendor && id.device() == device;
    }
  }

  /**
   * All of a class: those that agree with {@code code} in the bits of {@code mask}, 24 bits each.
   */
  record ByClass(int code, int mask) implements DeviceMatch {
    @Override
    public boolean matches(PciId id, PciClass pciClass) {
      return (pciClass.code() & mask) == (code & mask);
    }
  }

  /** Whether a device with that id and class is one of them. */
  boolean matches(PciId id, PciClass pciClass);
}
