package org.gatun.simulated;

import org.gatun.pci.DeviceUnavailableException;

/**
 * A physical function's virtual ones, as they come and go with its registers. What a write asks for
 * happens in the bus's time: whoever writes may hold locks, and who has a virtual function open is
 * told that it is gone.
 */
final class SingleRoot {
  private static final System.Logger LOG = System.getLogger(SingleRoot.class.getName());

  /** Software waits for 100 ms (PCI Express Base Specification 5.0, 9.3.3.3.1). */
  private static final long APPEAR_NANOS = 10_000_000;

  private final SimulatedFunction physical;
  private final BusTime time;
  private final SimulatedFunction.Host host;

  /** Guarded by this: how many the registers ask for, and how often that has changed. */
  private int wanted;

  private int changes;

  SingleRoot(SimulatedFunction physical, BusTime time, SimulatedFunction.Host host) {
    this.physical = physical;
    this.time = time;
    this.host = host;
  }

  /** The registers ask for so many. */
  synchronized void want(int count) {
    if (wanted != count) {
      wanted = count;
      int change = ++changes;
      time.schedule(0, () -> host.unplugVirtual(physical));
      time.schedule(APPEAR_NANOS, () -> appear(change, count));
    }
  }

  private void appear(int change, int count) {
    for (int number = 0; number < count && isLast(change); number++) {
      try {
        host.plugVirtual(physical, number);
      } catch (DeviceUnavailableException | IllegalArgumentException e) {
        LOG.log(System.Logger.Level.ERROR, physical.name() + " lacks a virtual function", e);
      }
    }
  }

  private synchronized boolean isLast(int change) {
    return changes == change;
  }
}
