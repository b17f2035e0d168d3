package org.gatun.vfiouser.client;

import org.gatun.nativeaccess.ClosedDescriptorException;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.RegisterHandler;

/**
 * Registers that are reached by messages, one each.
 *
 * @param start of the range in the region
 * @param posted whether a write does not wait until it was carried out. As on the bus, later
 *     accesses come later. It is not for a device with registers that are reached otherwise, too: a
 *     write there could overtake it
 */
record WireRegisters(
    DeviceName device, Wire wire, WireDoorbells doorbells, int region, long start, boolean posted)
    implements RegisterHandler {
  @Override
  public long read(long offset, int width) {
    try {
      return wire.read(region, start + offset, width);
    } catch (LinuxException e) {
      throw failed("read", offset, width, e);
    }
  }

  @Override
  public void write(long offset, int width, long value) {
    try {
      if (doorbells.ring(start + offset, width, value)) {
        return;
      }
      wire.write(region, start + offset, width, value, posted);
    } catch (LinuxException | ClosedDescriptorException e) {
      throw failed("write", offset, width, e);
    }
  }

  private DeviceGoneException failed(String operation, long offset, int width, RuntimeException e) {
    return new DeviceGoneException(
        device,
        "%s%d of BAR %d at offset 0x%x".formatted(operation, width * 8, region, start + offset),
        e);
  }
}
