package org.gatun.broker.config;

import java.util.List;
import org.gatun.broker.Quota;
import org.gatun.pci.DeviceName;

/**
 * A guest in a policy file.
 *
 * @param name letters, digits, dots, hyphens and underscores; unlike those of the other guests
 * @param devices what it gets, one at least; none that another guest gets
 * @param quota what it may use of the host
 */
public record GuestConfig(String name, List<DeviceName> devices, Quota quota) {
  /** Copies the list. */
  public GuestConfig {
    devices = List.copyOf(devices);
  }
}
