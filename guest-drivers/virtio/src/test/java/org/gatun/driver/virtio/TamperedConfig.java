package org.gatun.driver.virtio;

import java.util.NoSuchElementException;
import org.gatun.pci.PciDevice;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.specs.virtio.VirtioPci;

/** The conventional config space of a device, with bytes that a test changes; writes go through. */
final class TamperedConfig implements ConfigSpace {
  private final ConfigSpace config;
  private final byte[] bytes = new byte[ConfigRegisters.CONVENTIONAL_SIZE];

  TamperedConfig(PciDevice device) {
    config = device.config();
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) config.read8(i);
    }
  }

  void put(int offset, int... values) {
    for (int i = 0; i < values.length; i++) {
      bytes[offset + i] = (byte) values[i];
    }
  }

  /** Where the capability of a structure is. */
  int structure(int type) {
    return Capabilities.walk(config).list().stream()
        .filter(c -> !c.extended() && c.id() == Capability.VENDOR_SPECIFIC)
        .mapToInt(Capability::offset)
        .filter(at -> config.read8(at + VirtioPci.TYPE) == type)
        .findFirst()
        .orElseThrow(NoSuchElementException::new);
  }

  /** The device with this config space. */
  PciDevice of(PciDevice device) {
    return new TamperedDevice(device) {
      @Override
      public ConfigSpace config() {
        return TamperedConfig.this;
      }
    };
  }

  @Override
  public int size() {
    return bytes.length;
  }

  @Override
  public int read(int offset, int width) {
    ConfigSpace.check(offset, width, bytes.length);
    int value = 0;
    for (int i = 0; i < width; i++) {
      value |= (bytes[offset + i] & 0xff) << (8 * i);
    }
    return value;
  }

  @Override
  public void write(int offset, int width, int value) {
    config.write(offset, width, value);
  }
}
