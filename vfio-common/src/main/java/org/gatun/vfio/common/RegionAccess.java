package org.gatun.vfio.common;

import org.gatun.nativeaccess.ClosedDescriptorException;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.RegisterHandler;

/**
 * A part of a region through {@code pread} and {@code pwrite}: one call, one access of that width.
 * (Kernels before 6.10 make two of 32 bits out of one of 64.) The kernel fails it if the device is
 * gone, asleep or no longer decodes its addresses. Checks no bounds.
 *
 * @param what for messages: {@code BAR 0}
 * @param start of the part in the device's descriptor
 */
public record RegionAccess(DeviceName device, Fd fd, String what, long start)
    implements RegisterHandler {
  @Override
  public long read(long offset, int width) {
    try {
      return fd.readAt(start + offset, width);
    } catch (LinuxException | ClosedDescriptorException e) {
      throw gone("read", offset, width, e);
    }
  }

  @Override
  public void write(long offset, int width, long value) {
    try {
      fd.writeAt(start + offset, width, value);
    } catch (LinuxException | ClosedDescriptorException e) {
      throw gone("write", offset, width, e);
    }
  }

  private DeviceGoneException gone(String operation, long offset, int width, Exception cause) {
    return new DeviceGoneException(
        device, "%s%d of %s at offset 0x%x".formatted(operation, width * 8, what, offset), cause);
  }
}
