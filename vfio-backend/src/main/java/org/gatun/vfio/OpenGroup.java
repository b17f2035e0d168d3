package org.gatun.vfio;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.gatun.nativeaccess.Fd;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciAddress;
import org.gatun.vfio.sysfs.IommuGroup;
import org.gatun.vfio.sysfs.Sysfs;

/**
 * An IOMMU group that this process has open, once: the kernel allows no more. Its open devices
 * share it, and with it the mappings; it closes with the last of them.
 */
final class OpenGroup {
  /** By number. Also the lock for opening and closing, so that a group is never in between. */
  private static final Map<Integer, OpenGroup> OPEN = new HashMap<>();

  private final int number;
  private final IommuContext context;
  private final DmaDomain dma;
  private int users = 1;

  private OpenGroup(int number, IommuContext context) {
    this.number = number;
    this.context = context;
    this.dma = new DmaDomain(context, context.info().ranges(), context.info().pageSize());
  }

  /** Opens a group, or joins those who have it. To be given back by {@link #release}. */
  static OpenGroup acquire(DeviceName device, IommuGroup group, Sysfs sysfs) {
    synchronized (OPEN) {
      OpenGroup open = OPEN.get(group.number());
      if (open != null) {
        open.users++;
        return open;
      }
      OpenGroup opened = new OpenGroup(group.number(), IommuContext.open(device, group, sysfs));
      OPEN.put(group.number(), opened);
      return opened;
    }
  }

  Fd openDevice(PciAddress address) {
    return context.openDevice(address);
  }

  DmaDomain dma() {
    return dma;
  }

  /**
   * Once by each who acquired it, after closing the device.
   *
   * @return of the last one: why it is not proven that nobody else has a device of the group
   */
  Optional<String> release() {
    synchronized (OPEN) {
      users--;
      if (users > 0) {
        return Optional.empty();
      }
      OPEN.remove(number);
      try {
        return context.detach();
      } finally {
        context.close();
      }
    }
  }
}
