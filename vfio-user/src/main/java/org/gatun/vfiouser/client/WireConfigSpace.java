package org.gatun.vfiouser.client;

import org.gatun.nativeaccess.LinuxException;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.vfio.common.Vfio;

/** Config space as the server shows it. A write has been carried out when the call returns. */
record WireConfigSpace(DeviceName device, Wire wire, int size) implements ConfigSpace {
  @Override
  public int read(int offset, int width) {
    ConfigSpace.check(offset, width, size);
    try {
      return (int) wire.read(Vfio.PCI_CONFIG_REGION_INDEX, offset, width);
    } catch (LinuxException e) {
      throw failed("read", offset, e);
    }
  }

  @Override
  public void write(int offset, int width, int value) {
    ConfigSpace.check(offset, width, size);
    try {
      wire.write(Vfio.PCI_CONFIG_REGION_INDEX, offset, width, value, false);
    } catch (LinuxException e) {
      throw failed("write", offset, e);
    }
  }

  private DeviceGoneException failed(String operation, int offset, LinuxException e) {
    return new DeviceGoneException(
        device, "config %s at offset 0x%x".formatted(operation, offset), e);
  }
}
