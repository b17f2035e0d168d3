package org.gatun.driver.nvme;

import org.gatun.pci.DeviceName;
import org.gatun.pci.PciException;
import org.jspecify.annotations.Nullable;

/** A controller lacks what is asked for, and says so. */
public final class NvmeUnsupportedException extends PciException {
  private static final long serialVersionUID = 1L;

  NvmeUnsupportedException(DeviceName device, String problem, @Nullable String remedy) {
    super(device, problem, remedy, null);
  }
}
