package org.gatun.simulated;

import org.gatun.pci.config.ConfigRegisters;
import org.jspecify.annotations.Nullable;

/**
 * The way between the host and a function: the function itself, and the bridges to it. What its
 * registers say of it counts, and when they change, {@link SimulatedFunction} works out anew what
 * may pass; no access asks here. Any thread.
 */
final class Route {
  private final SimulatedConfig config;
  private final @Nullable Route bridge;
  private final @Nullable Route physical;

  /** Whether its owner lets nobody access it, whatever the command register says in between. */
  private volatile boolean fenced;

  /** Whether it was pulled out, which its owner has yet to hear. */
  private volatile boolean cut;

  /** Whether its link is down, and will be up again. */
  private volatile boolean linkDown;

  /**
   * @param bridge of the bridge to its bus; null on the root bus
   * @param physical of the physical function, if it is a virtual one
   */
  Route(SimulatedConfig config, @Nullable Route bridge, @Nullable Route physical) {
    this.config = config;
    this.bridge = bridge;
    this.physical = physical;
  }

  void fence(boolean on) {
    fenced = on;
  }

  void cut() {
    cut = true;
  }

  void linkDown(boolean on) {
    linkDown = on;
  }

  boolean isLinkDown() {
    return linkDown || cut;
  }

  boolean isCut() {
    return cut;
  }

  /** Whether what a bit of the command register stands for passes, all the way. */
  boolean allows(int commandBit) {
    return allowsHere(commandBit)
        && (bridge == null || (bridge.isBusUp() && bridge.allows(commandBit)));
  }

  /** Whether a message of the function's that needs no bit passes, such as that of its pin. */
  boolean isConnected() {
    return config.isAwake() && isConfigurable();
  }

  /**
   * Whether the host's accesses to its config space arrive: bridges that are asleep pass on none.
   */
  boolean isConfigurable() {
    return isThere() && (bridge == null || (bridge.isBusUp() && bridge.isConnected()));
  }

  /**
   * A request of the host's came to nothing. Who refused it shows that; and so does each bridge
   * before, to which a read comes back unanswered (PCI Express Base Specification 5.0, 6.2.3.2.4
   * and 7.5.1.3.7).
   *
   * @return whether it was refused, by this function or on the way to it
   */
  boolean refuse(int commandBit, boolean write) {
    if (bridge != null && bridge.refuse(commandBit, write)) {
      return true;
    }
    Route by = bridge != null && (isLinkDown() || !bridge.isBusUp()) ? bridge : this;
    if (by == this && allowsHere(commandBit)) {
      return false;
    }
    by.config.unsupportedRequest(write);
    if (!write) {
      by.showAbove(SimulatedConfig.RECEIVED_MASTER_ABORT);
    }
    return true;
  }

  /** The function answers a request of the host's with Completer Abort. */
  void abort(boolean write) {
    config.raise(ConfigRegisters.STATUS, SimulatedConfig.SIGNALED_TARGET_ABORT);
    if (!write) {
      showAbove(SimulatedConfig.RECEIVED_TARGET_ABORT);
    }
  }

  /** A completion without success passes all bridges before. */
  private void showAbove(int received) {
    for (Route above = bridge; above != null; above = above.bridge) {
      above.config.raise(ConfigLayout.SECONDARY_STATUS, received);
    }
  }

  private boolean allowsHere(int commandBit) {
    if (!isThere()) {
      return false;
    }
    if (commandBit == ConfigRegisters.COMMAND_BUS_MASTER) {
      return config.active(commandBit);
    }
    if (fenced) {
      return false;
    }
    return physical == null
        ? config.active(commandBit)
        : config.isAwake() && physical.config.hasVirtualMemory();
  }

  private boolean isThere() {
    return !isLinkDown()
        && (physical == null || (!physical.isLinkDown() && physical.config.hasVirtual()));
  }

  private boolean isBusUp() {
    return !config.isLinkDown();
  }
}
