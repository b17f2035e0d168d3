package org.gatun.simulated;

import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.LongConsumer;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaDirection;
import org.gatun.simulated.IommuDomain.Table;
import org.jspecify.annotations.Nullable;

/** A function on its way to memory: a switch of its own, and the address space of its group. */
final class BusMaster {
  /** The function, as its DMA concerns it. */
  interface Requester {
    /** A read comes back unanswered. */
    void readRefused();

    /**
     * A write of 32 bits went to where interrupts are requested.
     *
     * @return whether it raised one
     */
    boolean message(long busAddress, int data);
  }

  private final DeviceName device;
  private final IommuDomain domain;
  private final SimulatedIommu iommu;
  private final Requester requester;
  private final List<DmaPort> ports = new CopyOnWriteArrayList<>();
  private volatile boolean enabled;
  private volatile @Nullable LongConsumer faultListener;

  /** Guarded by this. */
  private boolean detached;

  BusMaster(DeviceName device, IommuDomain domain, SimulatedIommu iommu, Requester requester) {
    this.device = device;
    this.domain = domain;
    this.iommu = iommu;
    this.requester = requester;
    domain.attach(this);
  }

  /** What DMA may reach now: nothing while it is off. */
  Table reachable() {
    return enabled ? domain.table() : Table.EMPTY;
  }

  /** Records a fault, unless it is off: then no access came as far as the IOMMU. */
  void refuse(long busAddress, long size, DmaDirection direction) {
    if (enabled) {
      record(domain.explain(device, busAddress, size, direction));
      if (direction == DmaDirection.TO_DEVICE) {
        requester.readRefused();
      }
    }
  }

  /** Records that a message of the function's is none that it was given. */
  void refuseMessage(long busAddress) {
    record(
        new IommuFault(
            device,
            busAddress,
            Integer.BYTES,
            DmaDirection.FROM_DEVICE,
            IommuFault.Kind.INTERRUPT,
            Optional.empty()));
  }

  /** Whether a write of 32 bits by DMA raised an interrupt of the function's own. */
  boolean message(long busAddress, int data) {
    return enabled && requester.message(busAddress, data);
  }

  private void record(IommuFault fault) {
    iommu.record(fault);
    LongConsumer listener = faultListener;
    if (listener != null) {
      listener.accept(fault.busAddress());
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
