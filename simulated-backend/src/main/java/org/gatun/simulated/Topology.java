package org.gatun.simulated;

import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.gatun.pci.DeviceName;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.Trait;
import org.gatun.simulated.SimulatedFunction.Slot;
import org.gatun.simulated.VirtualFunctions.Places;
import org.jspecify.annotations.Nullable;

/**
 * What is plugged in, and where: slots, and what firmware makes of them, which are the numbers of
 * buses, the windows of bridges and the addresses of BARs. Guarded by its bus.
 */
final class Topology {
  private static final int SLOTS = 32;
  private static final int FUNCTIONS = 8;
  private static final int LAST_BUS = 255;

  /** Where virtual functions start, if they can: behind 16 slots. */
  private static final int FIRST_VIRTUAL = 0x80;

  private final Map<DeviceName, SimulatedFunction> functions = new LinkedHashMap<>();
  private final IommuGroups groups;
  private final BridgeWindows rootWindows = BridgeWindows.ofRootBus();

  Topology(SimulatedIommu iommu) {
    groups = new IommuGroups(functions.values(), iommu);
  }

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
      if (functions.values().stream().noneMatch(f -> takes(f, bridge, number))) {
        return slot(name, bridge, device, 0, description);
      }
    }
    throw new IllegalStateException("all " + SLOTS + " slots of the simulated bus are taken");
  }

  /**
   * A place beside another function of a device.
   *
   * @throws IllegalStateException if there is none
   * @throws IllegalArgumentException if that is a virtual function
   */
  Slot nextFunction(DeviceName name, SimulatedFunction sibling, FunctionDescription description) {
    if (sibling.physical() != null) {
      throw new IllegalArgumentException(sibling.name() + " is a virtual function");
    }
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
    Places virtualPlaces = // first: it may find no room
        description
            .virtualFunctions()
            .map(v -> virtualPlaces(bridge, device << 3 | function, v))
            .orElse(null);
    return new Slot(
        name,
        bridge,
        device,
        function,
        takeAddresses(bridge, description, 1),
        description.bridge() ? windowsOf(bridge).behindBridge() : null,
        virtualPlaces,
        null,
        groups.groupOf(bridge, device, description, false));
  }

  /** The place of a virtual function. */
  Slot virtualSlot(DeviceName name, SimulatedFunction physical, int number) {
    Places places = Objects.requireNonNull(physical.slot().virtualPlaces());
    FunctionDescription description =
        physical.description().virtualFunctions().orElseThrow().each();
    int routingId = places.first() + number;
    Map<Integer, Long> addresses = new HashMap<>();
    for (BarDescription bar : description.bars()) {
      long first = places.barAddresses().getOrDefault(bar.index(), AddressWindow.NONE);
      addresses.put(
          bar.index(),
          first == AddressWindow.NONE ? AddressWindow.NONE : first + number * bar.size());
    }
    SimulatedFunction bridge = physical.bridge();
    return new Slot(
        name,
        bridge,
        routingId >>> 3,
        routingId & 7,
        addresses,
        null,
        null,
        physical,
        groups.groupOf(bridge, routingId >>> 3, description, true));
  }

  /** Behind all devices there is room for virtual functions, beside those of others. */
  private Places virtualPlaces(
      @Nullable SimulatedFunction bridge, int own, VirtualFunctions virtual) {
    int first = Math.max(FIRST_VIRTUAL, ((own >>> 3) + 1) << 3);
    for (SimulatedFunction other : behind(bridge)) {
      first = Math.max(first, ((lastRoutingId(other) >>> 3) + 1) << 3);
    }
    if (first + virtual.total() > SLOTS * FUNCTIONS) {
      throw new IllegalStateException(
          "there is no room for " + virtual.total() + " virtual functions on that bus");
    }
    return new Places(first, takeAddresses(bridge, virtual.each(), virtual.total()));
  }

  /** The last that a function takes on its bus, for itself or its virtual functions. */
  private static int lastRoutingId(SimulatedFunction function) {
    Places places = function.slot().virtualPlaces();
    return places == null
        ? function.slot().routingId()
        : places.first() + function.description().virtualFunctions().orElseThrow().total() - 1;
  }

  private static boolean takes(
      SimulatedFunction function, @Nullable SimulatedFunction bridge, int device) {
    Places places = function.slot().virtualPlaces();
    return function.isIn(bridge, device)
        || (places != null
            && function.bridge() == bridge
            && places.first() >>> 3 <= device
            && device <= lastRoutingId(function) >>> 3);
  }

  /** Takes addresses for so many functions that are alike, each beside the next. */
  private Map<Integer, Long> takeAddresses(
      @Nullable SimulatedFunction bridge, FunctionDescription description, int count) {
    Map<Integer, Long> addresses = new HashMap<>();
    for (BarDescription bar : description.bars()) {
      long size = bar.size() * Integer.highestOneBit(2 * count - 1);
      AddressWindow window = windowsOf(bridge).of(bar, bridge == null);
      addresses.put(bar.index(), window.take(size));
    }
    return addresses;
  }

  private void giveBack(
      @Nullable SimulatedFunction bridge,
      FunctionDescription description,
      Map<Integer, Long> addresses) {
    for (BarDescription bar : description.bars()) {
      windowsOf(bridge)
          .of(bar, bridge == null)
          .giveBack(addresses.getOrDefault(bar.index(), AddressWindow.NONE));
    }
  }

  /** Gives a place back that nothing is in. */
  void giveBack(Slot slot, FunctionDescription description) {
    if (slot.physical() != null) {
      return; // it is part of that one's
    }
    giveBack(slot.bridge(), description, slot.barAddresses());
    Places places = slot.virtualPlaces();
    if (places != null) {
      FunctionDescription each = description.virtualFunctions().orElseThrow().each();
      giveBack(slot.bridge(), each, places.barAddresses());
    }
    if (slot.windows() != null) {
      windowsOf(slot.bridge()).giveBack(slot.windows());
    }
  }

  void add(SimulatedFunction function) {
    functions.put(function.name(), function);
    if (function.description().bridge()) {
      numberBuses(null, 0);
    }
    showSlots();
    if (function.bridge() != null && function.physical() == null) {
      setPayload(rootOf(function));
    }
  }

  /** All of a tree are set to what each of them can. */
  private void setPayload(SimulatedFunction root) {
    List<SimulatedFunction> tree =
        functions.values().stream().filter(f -> f.physical() == null && rootOf(f) == root).toList();
    int size = tree.stream().mapToInt(f -> f.config().largestPayload()).min().orElse(0);
    tree.forEach(f -> f.config().payload(size));
  }

  private static SimulatedFunction rootOf(SimulatedFunction function) {
    SimulatedFunction bridge = function.bridge();
    return bridge == null ? function : rootOf(bridge);
  }

  /** Takes it out, and returns whether it was there. */
  boolean remove(SimulatedFunction function) {
    boolean there = functions.remove(function.name(), function);
    if (there) {
      giveBack(function.slot(), function.description());
      showSlots();
    }
    return there;
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

  /** The virtual functions that a function has now. */
  List<SimulatedFunction> virtualOf(SimulatedFunction physical) {
    return functions.values().stream().filter(f -> f.physical() == physical).toList();
  }

  /** What can't be there without a function: what is behind it, or its virtual functions. */
  List<SimulatedFunction> dependentsOf(SimulatedFunction function) {
    return functions.values().stream()
        .filter(f -> f.bridge() == function || f.physical() == function)
        .toList();
  }

  /**
   * By itself; or by its slot, or the bridge before it, as long as that resets nobody else, who may
   * be behind it, too (PCI Express Base Specification 5.0, 6.6.1).
   */
  boolean isResettable(SimulatedFunction function) {
    FunctionDescription description = function.description();
    if (description.resetsItself()) {
      return true;
    }
    return behind(function).isEmpty()
        && ((description.traits().contains(Trait.SLOT_RESET) && isAloneInSlot(function))
            || (function.bridge() != null && behind(function.bridge()).size() == 1));
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

  /** Writes into the registers what is in the slots: beside a function, and behind a port. */
  void showSlots() {
    for (SimulatedFunction function : functions.values()) {
      if (function.physical() == null) {
        function.config().multiFunction(!isAloneInSlot(function));
      }
      function
          .config()
          .presence(
              functions.values().stream().anyMatch(f -> f.bridge() == function && f.isPresent()));
    }
  }
}
