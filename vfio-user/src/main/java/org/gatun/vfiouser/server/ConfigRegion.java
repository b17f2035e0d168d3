package org.gatun.vfiouser.server;

import org.gatun.pci.config.ConfigSpace;

/** Config space, with the device's rules for it. */
final class ConfigRegion extends ExportedRegion {
  private final ConfigSpace config;

  ConfigRegion(ConfigSpace config) {
    super(config.size());
    this.config = config;
  }

  @Override
  int widest(long offset) {
    return Integer.BYTES;
  }

  @Override
  long readOnce(long offset, int width) {
    return config.read((int) offset, width);
  }

  @Override
  void writeOnce(long offset, int width, long value) {
    config.write((int) offset, width, (int) value);
  }
}
