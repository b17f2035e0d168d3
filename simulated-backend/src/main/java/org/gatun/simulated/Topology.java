package org.gatun.simulated;

import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gatun.pci.DeviceName;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.Trait;
import org.gatun.simulated.SimulatedFunction.Slot;
import org.jspecify.annotations.Nullable;

/**
 * What is plugged in, and where: slots, and what firmware makes of them, which are the numbers of
 * buses, the windows of bridges and the addresses of BARs. Guarded by its bus.
 */
final class Topology {
  private static final int SLOTS = 32;
  private static final int FUNCTIONS = 8;
  private static final int LAST_BUS = 255;

  private final Map<DeviceName, SimulatedFunction> functions = new LinkedHashMap<>();
  private final BridgeWindows rootWindows = BridgeWindows.ofRootBus();

  /** All functions: bridges before what is behind them. */
  Collection<SimulatedFunction> functions() {
    return functions.values();
  }

  @Nullable SimulatedFunction find(DeviceName name) {
    return functions.get(name);
  }

  /**
   * @throws IllegalArgumentException if it is not there
   */
  SimulatedFunction get(DeviceName name) {
    SimulatedFunction function = functions.get(name);
    if (function == null) {
      throw new IllegalArgumentException("there is no " + name + " on this bus");
    }
    return function;
  }

  /**
   * A place in the next free slot.
   *
   * @param bridge to the bus with the slot; null for the root bus
   * @throws IllegalStateException if there is none
   * @throws IllegalArgumentException if nothing like it can be behind that bridge
   */
  Slot nextSlot(
      DeviceName name, @Nullable SimulatedFunction bridge, FunctionDescription description) {
    boolean insideSwitch = bridge != null && bridge.description().port() == PortKind.UPSTREAM;
    if (insideSwitch != (description.port() == PortKind.DOWNSTREAM)) {
      throw new IllegalArgumentException(
          name + ": behind a switch's upstream port are its downstream ports, and nothing else");
    }
    for (int device = 0; device < SLOTS; device++) {
      int number = device;
      if (functions.values().stream().noneMatch(f -> f.isIn(bridge, number))) {
        return slot(name, bridge, device, 0, description);
      }
    }
    throw new IllegalStateException("all " + SLOTS + " slots of the simulated bus are taken");
  }

  /**
   * A place beside another function of a device.
   *
   * @throws IllegalStateException if there is none
   */
  Slot nextFunction(DeviceName name, SimulatedFunction sibling, FunctionDescription description) {
    SimulatedFunction bridge = sibling.bridge();
    int device = sibling.address().device();
    for (int function = 0; function < FUNCTIONS; function++) {
      int number = function;
      if (functions.values().stream()
          .filter(f -> f.isIn(bridge, device))
          .noneMatch(f -> f.address().function() == number)) {
        return slot(name, bridge, device, function, description);
      }
    }
    throw new IllegalStateException(sibling.name() + " has 8 functions already");
  }

  private Slot slot(
      DeviceName name,
      @Nullable SimulatedFunction bridge,
      int device,
      int function,
      FunctionDescription description) {
    if (description.bridge()
        && functions.values().stream().filter(f -> f.description().bridge()).count() == LAST_BUS) {
      throw new IllegalStateException("all " + LAST_BUS + " bus numbers are taken");
    }
    BridgeWindows windows = windowsOf(bridge);
    Map<Integer, Long> addresses = new HashMap<>();
    for (BarDescription bar : description.bars()) {
      addresses.put(bar.index(), windows.of(bar, bridge == null).take(bar.size()));
    }
    return new Slot(
        name,
        bridge,
        device,
        function,
        addresses,
        description.bridge() ? windows.behindBridge() : null,
        IommuGroups.groupOf(bridge, device, description, functions.values()));
  }

  /** Gives a place back that nothing is in. */
  void giveBack(Slot slot, FunctionDescription description) {
    BridgeWindows windows = windowsOf(slot.bridge());
    for (BarDescription bar : description.bars()) {
      long address = slot.barAddresses().getOrDefault(bar.index(), AddressWindow.NONE);
      windows.of(bar, slot.bridge() == null).giveBack(address);
    }
    if (slot.windows() != null) {
      windows.giveBack(slot.windows());
    }
  }

  void add(SimulatedFunction function) {
    functions.put(function.name(), function);
    if (function.description().bridge()) {
      numberBuses(null, 0);
    }
    showSlots();
  }

  void remove(SimulatedFunction function) {
    functions.remove(function.name());
    giveBack(function.slot(), function.description());
    showSlots();
  }

  /** Takes all out, and returns what was there. */
  List<SimulatedFunction> clear() {
    List<SimulatedFunction> all = List.copyOf(functions.values());
    functions.clear();
    return all;
  }

  /** What is on the bus behind a bridge; null for the root bus. */
  List<SimulatedFunction> behind(@Nullable SimulatedFunction bridge) {
    return functions.values().stream().filter(f -> f.bridge() == bridge).toList();
  }

  /** By itself; or by its slot, or the bridge before it, as long as that resets nobody else. */
  boolean isResettable(SimulatedFunction function) {
    FunctionDescription description = function.description();
    return description.resetsItself()
        || (description.traits().contains(Trait.SLOT_RESET) && isAloneInSlot(function))
        || (function.bridge() != null && behind(function.bridge()).size() == 1);
  }

  private boolean isAloneInSlot(SimulatedFunction function) {
    return functions.values().stream()
        .filter(f -> f.isIn(function.bridge(), function.address().device()))
        .allMatch(f -> f == function);
  }

  private BridgeWindows windowsOf(@Nullable SimulatedFunction bridge) {
    return bridge == null ? rootWindows : bridge.windows();
  }

  /**
   * Numbers the buses behind those on a bus as firmware does: depth first, in the order of their
   * addresses, so that what is behind a bridge is one range of numbers.
   *
   * @return the last number that is given
   */
  private int numberBuses(@Nullable SimulatedFunction bridge, int bus) {
    int last = bus;
    for (SimulatedFunction function :
        behind(bridge).stream().sorted(SimulatedFunction.BY_ADDRESS).toList()) {
      if (function.description().bridge()) {
        int secondary = last + 1;
        function.secondaryBus(secondary);
        last = numberBuses(function, secondary);
        function.config().busNumbers(bus, secondary, last);
      }
    }
    return last;
  }

  /** Writes into the headers whether there are others in the slot. */
  private void showSlots() {
    functions.values().forEach(f -> f.config().multiFunction(!isAloneInSlot(f)));
  }
}
