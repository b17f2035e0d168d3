package org.gatun.broker.policy;

import org.gatun.pci.DeviceName;
import org.gatun.pci.PciException;

/** A guest wrote to config space what it may not: pciback's {@code access_denied}. */
public final class ConfigAccessDeniedException extends PciException {
  private static final long serialVersionUID = 1L;

  ConfigAccessDeniedException(DeviceName device, String problem, String remedy) {
    super(device, problem, remedy, null);
  }
}
