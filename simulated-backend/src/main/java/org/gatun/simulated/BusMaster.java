package org.gatun.simulated;

import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.LongConsumer;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaDirection;
import org.gatun.simulated.IommuDomain.Table;
import org.jspecify.annotations.Nullable;

/** A function on its way to memory: a switch of its own, and the address space of its group. */
final class BusMaster {
  private final DeviceName device;
  private final IommuDomain domain;
  private final SimulatedIommu iommu;
  private final Runnable readRefused;
  private final List<DmaPort> ports = new CopyOnWriteArrayList<>();
  private volatile boolean enabled;
  private volatile @Nullable LongConsumer faultListener;

  /** Guarded by this. */
  private boolean detached;

  /**
   * @param readRefused what the function does when a read of its own comes back unanswered
   */
  BusMaster(DeviceName device, IommuDomain domain, SimulatedIommu iommu, Runnable readRefused) {
    this.device = device;
    this.domain = domain;
    this.iommu = iommu;
    this.readRefused = readRefused;
    domain.attach(this);
  }

  /** What DMA may reach now: nothing while it is off. */
  Table reachable() {
    return enabled ? domain.table() : Table.EMPTY;
  }

  /** Records a fault, unless it is off: then no access came as far as the IOMMU. */
  void refuse(long busAddress, long size, DmaDirection direction) {
    if (enabled) {
      iommu.record(domain.explain(device, busAddress, size, direction));
      if (direction == DmaDirection.TO_DEVICE) {
        readRefused.run();
      }
      LongConsumer listener = faultListener;
      if (listener != null) {
        listener.accept(busAddress);
      }
    }
  }

  /** Who hears of each fault; null for nobody. */
  void onFault(@Nullable LongConsumer listener) {
    faultListener = listener;
  }

  DmaPort newPort() {
    DmaPort port = new DmaPort(this);
    ports.add(port);
    return port;
  }

  /** When it returns after turning off, no DMA is in progress. */
  synchronized void enable(boolean on) {
    enabled = on && !detached;
    if (!enabled) {
      // Either a port sees the new state, or we see that it is at work: see IommuDomain.
      VarHandle.fullFence();
      awaitQuiet();
    }
  }

  /** Returns when the DMA that was in progress at the call has ended. */
  void awaitQuiet() {
    for (DmaPort port : ports) {
      port.awaitQuiet();
    }
  }

  /** For good: the function is no longer there. */
  synchronized void detach() {
    detached = true;
    enable(false);
    domain.detach(this);
  }
}
