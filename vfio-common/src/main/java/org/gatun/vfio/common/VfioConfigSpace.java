package org.gatun.vfio.common;

import org.gatun.pci.config.ConfigSpace;

/** Config space as vfio-pci shows it: part virtual, part the device's. */
public record VfioConfigSpace(RegionAccess region, int size) implements ConfigSpace {
  @Override
  public int read(int offset, int width) {
    ConfigSpace.check(offset, width, size);
    return (int) region.read(offset, width);
  }

  @Override
  public void write(int offset, int width, int value) {
    ConfigSpace.check(offset, width, size);
    region.write(offset, width, value);
  }
}
