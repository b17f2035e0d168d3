package org.gatun.driver.virtio;

import java.util.HashMap;
import java.util.Map;
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
  private final Map<Integer, Integer> changed = new HashMap<>();

  TamperedConfig(PciDevice device) {
    config = device.config();
  }

  void put(int offset, int... values) {
    for (int i = 0; i < values.length; i++) {
      changed.put(offset + i, values[i]);
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
    return ConfigRegisters.CONVENTIONAL_SIZE;
  }

  @Override
  public int read(int offset, int width) {
    ConfigSpace.check(offset, width, size());
    int value = 0;
    for (int i = 0; i < width; i++) {
      value |= changed.getOrDefault(offset + i, config.read8(offset + i)) << (8 * i);
    }
    return value;
  }

  @Override
  public void write(int offset, int width, int value) {
    config.write(offset, width, value);
  }
}
