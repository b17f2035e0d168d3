package org.gatun.simulated;

import java.util.ArrayDeque;
import java.util.List;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaDirection;

/**
 * The IOMMU of a bus: each group of devices has an address space of its own. A read of what is not
 * mapped for reading gives zeros, a write of what is not mapped for writing is dropped; both are
 * recorded here. Any thread.
 */
public final class SimulatedIommu {
  /** How many faults are kept: the newest. A device can cause any number. */
  public static final int KEPT_FAULTS = 1024;

  private static final System.Logger LOG = System.getLogger(SimulatedIommu.class.getName());

  private final ArrayDeque<IommuFault> faults = new ArrayDeque<>();
  private long count;

  SimulatedIommu() {}

  /** The newest faults, at most {@link #KEPT_FAULTS}, oldest first. */
  public synchronized List<IommuFault> faults() {
    return List.copyOf(faults);
  }

  /** How many faults there were, with those that are no longer kept. */
  public synchronized long faultCount() {
    return count;
  }

  void record(DeviceName device, long busAddress, long size, DmaDirection direction) {
    IommuFault fault = new IommuFault(device, busAddress, size, direction);
    synchronized (this) {
      if (faults.size() == KEPT_FAULTS) {
        faults.removeFirst();
      }
      faults.addLast(fault);
      count++;
    }
    LOG.log(System.Logger.Level.DEBUG, () -> "IOMMU fault: " + fault);
  }
}
