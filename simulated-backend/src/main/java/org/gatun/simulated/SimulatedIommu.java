package org.gatun.simulated;

import java.util.ArrayDeque;
import java.util.List;

/**
 * The IOMMU of a bus: each group of devices has an address space of its own. A read of what is not
 * mapped for reading gives nothing, so that where the device reads to stays as it was; a write of
 * what is not mapped for writing is dropped; both are recorded here. So are requests for interrupts
 * that are not a device's own. Any thread.
 */
public final class SimulatedIommu {
  /** How many faults are kept: the newest. A device can cause any number. */
  public static final int KEPT_FAULTS = 1024;

  private static final System.Logger LOG = System.getLogger(SimulatedIommu.class.getName());

  private final ArrayDeque<IommuFault> faults = new ArrayDeque<>();
  private final InterruptRemapping interrupts = new InterruptRemapping();
  private volatile boolean keepsOrigins;
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

  /**
   * Whether faults say from now on where the memory was mapped, and where unmapped: of what is
   * mapped from now on, and of the newest 256 of what is unmapped of a group. It is off at first,
   * since walking the stack takes longer than mapping.
   */
  public void keepOrigins(boolean on) {
    keepsOrigins = on;
  }

  InterruptRemapping interrupts() {
    return interrupts;
  }

  boolean keepsOrigins() {
    return keepsOrigins;
  }

  void record(IommuFault fault) {
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
