package org.gatun.simulated;

import org.gatun.pci.Bar;
import org.gatun.simulated.FunctionDescription.BarDescription;

/**
 * The addresses of what is on a bus: those that the bridge to it passes on (PCI-to-PCI Bridge
 * Architecture Specification 1.2, 3.2.5.6 to 3.2.5.10).
 *
 * @param memory below 4 GiB
 * @param high for prefetchable memory with 64-bit addresses; on the root bus for all with those
 */
record BridgeWindows(AddressWindow memory, AddressWindow high, AddressWindow ports) {
  /**
   * What a bridge can pass on of memory is in multiples of this, and of ports of {@link #PORTS}.
   */
  private static final long MEMORY = 1 << 20;

  private static final long PORTS = 1 << 12;

  /** Of the root bus: memory as x86 firmware has it, below 4 GiB and above all RAM. */
  static BridgeWindows ofRootBus() {
    return new BridgeWindows(
        new AddressWindow(0x8000_0000L, 0x7000_0000L, MEMORY, 8),
        new AddressWindow(1L << 40, (1L << 52) - (1L << 40), MEMORY, 32),
        new AddressWindow(0x1000, 0xf000, PORTS, 16));
  }

  /** Of the bus behind a bridge on this one. */
  BridgeWindows behindBridge() {
    return new BridgeWindows(memory.behindBridge(), high.behindBridge(), ports.behindBridge());
  }

  /** The bridge is no longer there. */
  void giveBack(BridgeWindows behind) {
    memory.giveBack(behind.memory.first());
    high.giveBack(behind.high.first());
    ports.giveBack(behind.ports.first());
  }

  /** Where a BAR of a function on this bus goes. */
  AddressWindow of(BarDescription bar, boolean rootBus) {
    if (bar.kind() == Bar.Kind.IO) {
      return ports;
    }
    return bar.wide() && (bar.prefetchable() || rootBus) ? high : memory;
  }
}
