package org.gatun.pci.spi;

import java.util.List;
import java.util.Set;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;

/**
 * Erases what devices of a kind keep, so that the next who gets one finds nothing of the last. A
 * driver's module provides it; found by {@link java.util.ServiceLoader}. Any thread.
 */
public interface DeviceEraser {
  /** The devices that it knows. */
  List<DeviceMatch> matches();

  /** The ways in which it can erase those of them that have the commands for it. */
  Set<EraseMethod> methods();

  /**
   * Erases all data of a device, and returns when the device says that this is done: after seconds,
   * or hours. Each of its waits has a limit. Closing the device ends it.
   *
   * @param device the caller's, who closes it; what was opened of it is closed when this returns
   * @param method one of {@link #methods}
   * @param time clock and waits
   * @throws org.gatun.pci.PciException if the device lacks the command, refuses it, fails, or does
   *     not end in time: then its data may be there still, all or a part
   */
  void erase(PciDevice device, EraseMethod method, TimeSource time);
}
