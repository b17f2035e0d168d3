package org.gatun.simulated;

import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.LongConsumer;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DmaDirection;
import org.gatun.simulated.IommuDomain.Table;
import org.gatun.simulated.trace.Tracer;
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
  private final @Nullable Tracer tracer;
  private final List<IommuPort> ports = new CopyOnWriteArrayList<>();
  private volatile boolean enabled;
  private volatile @Nullable LongConsumer faultListener;

  /** Guarded by this. */
  private boolean detached;

  /**
   * @param tracer who writes down what is done; null for nobody
   */
  BusMaster(
      DeviceName device,
      IommuDomain domain,
      SimulatedIommu iommu,
      Requester requester,
      @Nullable Tracer tracer) {
    this.device = device;
    this.tracer = tracer;
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
    IommuPort port = tracer == null ? new IommuPort(this) : new TracedDmaPort(this, tracer);
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
    for (IommuPort port : ports) {
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
