package org.gatun.simulated;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciAddress;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.Hazard;
import org.gatun.pci.spi.PciBackend;
import org.gatun.pci.spi.SeizedDevice;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.FunctionDescription.Trait;
import org.gatun.simulated.trace.Trace;
import org.gatun.simulated.trace.Tracer;
import org.jspecify.annotations.Nullable;

/**
 * An emulated PCI bus with its IOMMU, and with the buses behind its bridges. Each has 32 slots, of
 * up to 8 functions. Any thread.
 *
 * <pre>{@code
 * try (SimulatedBus bus = SimulatedBus.virtualTime();
 *     PciDevice device = bus.open(bus.plug("edu", new EduModel()))) {
 *   ...
 * }
 * }</pre>
 */
public final class SimulatedBus implements PciBackend, AutoCloseable {
  /** The scheme of the names of its devices. */
  static final String SCHEME = "simulated";

  private static final int SLOTS = 32;

  /** Where firmware would put BARs: below 4 GiB, and above all memory. */
  private static final long FIRST_LOW = 0x8000_0000L;

  private static final long END_OF_LOW = 0xf000_0000L;
  private static final long FIRST_HIGH = 1L << 40;
  private static final long FIRST_PORT = 0xc000;
  private static final long END_OF_PORTS = 0x1_0000;
  private static final int LAST_BUS = 255;

  /** What a machine may lack, as opposed to a device. */
  private static final Set<Hazard> OF_THE_MACHINE =
      Set.of(Hazard.UNPROTECTED_DMA, Hazard.UNSAFE_INTERRUPTS);

  private final BusTime time;
  private final SimulatedIommu iommu = new SimulatedIommu();
  private final Map<DeviceName, SimulatedFunction> functions = new LinkedHashMap<>();
  private long nextLow = FIRST_LOW;
  private long nextHigh = FIRST_HIGH;
  private long nextPort = FIRST_PORT;
  private Set<Hazard> machineHazards = Set.of();
  private @Nullable Trace dmaTrace;
  private boolean closed;

  private SimulatedBus(BusTime time) {
    this.time = time;
  }

  /** A bus on which time passes as it does here. */
  public static SimulatedBus realTime() {
    return new SimulatedBus(new RealTime());
  }

  /**
   * A bus on which time passes only while somebody waits for it: by {@link TimeSource#sleep},
   * {@link TimeSource#spin} (a microsecond) or {@link org.gatun.pci.Vector#await}. Devices act on
   * the threads that wait. It starts at 0. With one thread, each run is the same; a wait for what
   * only another thread would do ends at once, as a time-out.
   */
  public static SimulatedBus virtualTime() {
    return new SimulatedBus(new VirtualTime());
  }

  /** Clock and waits: to be given to drivers of its devices. */
  public TimeSource time() {
    return time;
  }

  /** The IOMMU, which knows of each access that it refused. */
  public SimulatedIommu iommu() {
    return iommu;
  }

  /**
   * Writes down what the devices that are plugged in from now on do by DMA; what is done to them is
   * for {@link Trace#watch}.
   */
  public synchronized void traceDma(Trace trace) {
    dmaTrace = trace;
  }

  /**
   * Plugs a device into the next free slot, and powers it up.
   *
   * @param name the text of the device's name, unique on this bus
   * @return its name, to {@link #open} it
   * @throws IllegalArgumentException if the name is taken, or the description makes no sense
   * @throws IllegalStateException if no slot is free, or the bus is closed
   * @throws DeviceUnavailableException if the model can't start
   */
  public synchronized DeviceName plug(String name, DeviceModel model) {
    return plug(freeSlot(0), name, model);
  }

  /**
   * Plugs a device into the next free slot of the bus behind a bridge, and powers it up.
   *
   * @throws IllegalArgumentException as {@link #plug(String, DeviceModel)}, or if there is no such
   *     bridge
   * @throws IllegalStateException as {@link #plug(String, DeviceModel)}
   * @throws DeviceUnavailableException as {@link #plug(String, DeviceModel)}
   */
  public synchronized DeviceName plugBehind(DeviceName bridge, String name, DeviceModel model) {
    int bus = function(bridge).secondaryBus();
    if (bus == 0) {
      throw new IllegalArgumentException(bridge + " is not a bridge");
    }
    return plug(freeSlot(bus), name, model);
  }

  /**
   * Plugs a function in beside the others of a device, as the next of its functions, and powers it
   * up.
   *
   * @param sibling one that is in the slot already
   * @throws IllegalArgumentException as {@link #plug(String, DeviceModel)}, or if there is no such
   *     sibling
   * @throws IllegalStateException if it has 8 functions already, or the bus is closed
   * @throws DeviceUnavailableException as {@link #plug(String, DeviceModel)}
   */
  public synchronized DeviceName plugBeside(DeviceName sibling, String name, DeviceModel model) {
    PciAddress first = function(sibling).address();
    for (int function = 0; function < 8; function++) {
      PciAddress address = new PciAddress(first.domain(), first.bus(), first.device(), function);
      if (isFree(address)) {
        return plug(address, name, model);
      }
    }
    throw new IllegalStateException(sibling + " has 8 functions already");
  }

  private DeviceName plug(PciAddress address, String name, DeviceModel model) {
    DeviceName deviceName = new DeviceName(SCHEME, name);
    if (closed) {
      throw new IllegalStateException("the simulated bus is closed");
    }
    if (functions.containsKey(deviceName)) {
      throw new IllegalArgumentException(deviceName + " is plugged in already");
    }
    FunctionDescription description = model.description();
    Map<Integer, Long> barAddresses = new HashMap<>();
    for (BarDescription bar : description.bars()) {
      barAddresses.put(bar.index(), assignAddress(bar));
    }
    SimulatedFunction.Slot slot =
        new SimulatedFunction.Slot(
            deviceName,
            address,
            description.bridge() ? freeBus() : 0,
            barAddresses,
            IommuGroups.groupOf(address, description, functions.values()));
    Tracer tracer = dmaTrace == null ? null : dmaTrace.tracer(deviceName);
    functions.put(
        deviceName,
        new SimulatedFunction(slot, model, time, iommu, () -> unplugIfThere(deviceName), tracer));
    showPlaces();
    return deviceName;
  }

  /**
   * Plugs in the device that the text of a name describes, as the backend does: {@code edu}.
   *
   * @param text model and options: what follows {@code simulated:} in a name
   * @return its name, to {@link #open} it
   * @throws IllegalArgumentException if the text makes no sense, or such a name is taken
   * @throws IllegalStateException as {@link #plug(String, DeviceModel)}
   * @throws DeviceUnavailableException as {@link #plug(String, DeviceModel)}
   */
  public DeviceName plug(String text) {
    return plug(text, ModelText.parse(new DeviceName(SCHEME, text), () -> NvmeModel.SERIAL));
  }

  /**
   * Pulls a device out. If it is open, its listeners hear that it is gone, on this thread; each use
   * of it throws {@link org.gatun.pci.DeviceGoneException}, except that its DMA memory stays until
   * its owner closes it. What is behind a bridge is pulled out with it, before.
   *
   * @throws IllegalArgumentException if there is no such device
   */
  public void unplug(DeviceName name) {
    if (!unplugIfThere(name)) {
      throw missing(name);
    }
  }

  private boolean unplugIfThere(DeviceName name) {
    List<DeviceName> behind;
    synchronized (this) {
      if (!functions.containsKey(name)) {
        return false;
      }
      int bus = function(name).secondaryBus();
      behind =
          bus == 0
              ? List.of()
              : functions.values().stream()
                  .filter(f -> f.address().bus() == bus)
                  .map(SimulatedFunction::name)
                  .toList();
    }
    behind.forEach(this::unplugIfThere);
    SimulatedFunction function;
    synchronized (this) {
      function = functions.remove(name);
      showPlaces();
    }
    if (function == null) {
      return false;
    }
    SimulatedDevice owner = function.owner();
    if (owner != null) {
      owner.unplugged("it was unplugged");
    }
    function.close();
    return true;
  }

  @Override
  public String scheme() {
    return SCHEME;
  }

  /**
   * What the machine lacks from now on, as {@link #scan} tells it of each device: {@link
   * Hazard#UNPROTECTED_DMA} and {@link Hazard#UNSAFE_INTERRUPTS}, or nothing. Nothing else changes:
   * devices are confined as before.
   *
   * @throws IllegalArgumentException for other hazards: those are the devices'
   */
  public synchronized void pretend(Set<Hazard> hazards) {
    if (!OF_THE_MACHINE.containsAll(hazards)) {
      throw new IllegalArgumentException("a machine can have " + OF_THE_MACHINE + " only");
    }
    machineHazards = Set.copyOf(hazards);
  }

  /**
   * The config space of a device as the hardware has it, past whoever has opened it.
   *
   * @throws IllegalArgumentException if there is no such device
   */
  public synchronized HardwareConfig hardware(DeviceName name) {
    return function(name).config();
  }

  /**
   * Reads what is behind a BAR, past whoever has opened the device, and whether or not it decodes:
   * registers, as the device gives them, the MSI-X table, memory.
   *
   * @param bar 0 to 5
   * @param offset in bytes, a multiple of the width
   * @param width 1, 2, 4 or 8 bytes
   * @return the value in the low bits; what is above them has no meaning
   * @throws IllegalArgumentException if there is no such device or BAR, or not that much of it
   */
  public long peek(DeviceName name, int bar, long offset, int width) {
    SimulatedFunction function;
    synchronized (this) {
      function = function(name);
    }
    return function.peek(bar, offset, width);
  }

  /** The devices that are plugged in, bridges too, by address. */
  @Override
  public synchronized List<FoundDevice> scan() {
    return functions.values().stream()
        .sorted(Comparator.comparing(SimulatedFunction::address))
        .map(
            f ->
                new FoundDevice(
                    f.name(),
                    Optional.of(f.address()),
                    f.description().id(),
                    f.description().pciClass(),
                    Optional.empty(),
                    machineHazards.contains(Hazard.UNPROTECTED_DMA)
                        ? Optional.empty()
                        : Optional.of(f.group().number()),
                    hazards(f)))
        .toList();
  }

  /**
   * Opens a device: reset if it can be reset, bus master off, interrupts off.
   *
   * @throws DeviceUnavailableException if it is not there, or open already
   */
  @Override
  public PciDevice open(DeviceName name) {
    return open(name, () -> {});
  }

  @Override
  public SeizedDevice seize(DeviceName name) {
    return seize(name, () -> {});
  }

  /** As {@link #seize(DeviceName)}, with something to do when the device has been closed. */
  SeizedDevice seize(DeviceName name, Runnable afterClose) {
    SeizedDevice device = open(name, afterClose);
    device.decode(false);
    return device;
  }

  /** As {@link #open(DeviceName)}, with something to do when the device has been closed. */
  SeizedDevice open(DeviceName name, Runnable afterClose) {
    SimulatedFunction function;
    synchronized (this) {
      function = functions.get(name);
    }
    if (function == null) {
      throw new DeviceUnavailableException(
          name, "there is no such device on this bus", "plugged in are: " + names(), null);
    }
    return new SimulatedDevice(function, () -> isResettable(function), afterClose);
  }

  /**
   * A device reports an error that is not correctable, as by Advanced Error Reporting. Its owner,
   * if there is one that recovers devices, hears it on this thread; else its listeners hear that it
   * is gone.
   *
   * @throws IllegalArgumentException if there is no such device
   */
  public void reportError(DeviceName name) {
    SimulatedFunction function;
    synchronized (this) {
      function = function(name);
    }
    SimulatedDevice owner = function.owner();
    if (owner != null) {
      owner.failed("it reported an uncorrectable PCI Express error");
    }
  }

  /** Closes all open devices, and pulls all out. Idempotent. */
  @Override
  public void close() {
    List<SimulatedFunction> all;
    synchronized (this) {
      closed = true;
      all = new ArrayList<>(functions.values());
      functions.clear();
    }
    for (SimulatedFunction function : all.reversed()) {
      SimulatedDevice owner = function.owner();
      if (owner != null) {
        owner.close();
      }
      function.close();
    }
    time.close();
  }

  private synchronized String names() {
    return functions.isEmpty()
        ? "none"
        : String.join(", ", functions.keySet().stream().map(DeviceName::toString).toList());
  }

  private SimulatedFunction function(DeviceName name) {
    SimulatedFunction function = functions.get(name);
    if (function == null) {
      throw missing(name);
    }
    return function;
  }

  private static IllegalArgumentException missing(DeviceName name) {
    return new IllegalArgumentException("there is no " + name + " on this bus");
  }

  /** By itself; or by its slot, as long as that resets nobody else. */
  private synchronized boolean isResettable(SimulatedFunction function) {
    FunctionDescription description = function.description();
    PciAddress address = function.address();
    boolean aloneInSlot =
        functions.values().stream()
            .filter(f -> IommuGroups.sameSlot(f.address(), address))
            .allMatch(f -> f == function);
    boolean aloneOnBus =
        functions.values().stream()
            .filter(f -> f.address().bus() == address.bus())
            .allMatch(f -> f == function);
    return description.resetsItself()
        || (description.traits().contains(Trait.SLOT_RESET) && aloneInSlot)
        || (address.bus() != 0 && aloneOnBus);
  }

  private Set<Hazard> hazards(SimulatedFunction function) {
    Set<Hazard> hazards = EnumSet.noneOf(Hazard.class);
    hazards.addAll(machineHazards);
    boolean hasOthers =
        functions.values().stream()
            .filter(f -> f != function && !f.description().bridge())
            .anyMatch(f -> f.group().number() == function.group().number());
    if (hasOthers) {
      hazards.add(Hazard.MISSING_ACS);
    }
    if (!isResettable(function)) {
      hazards.add(Hazard.MISSING_RESET);
    }
    return hazards;
  }

  /** Writes into the headers what depends on the others: multi-function bits, bus numbers. */
  private void showPlaces() {
    for (SimulatedFunction function : functions.values()) {
      PciAddress address = function.address();
      function
          .config()
          .multiFunction(
              functions.values().stream()
                  .anyMatch(f -> f != function && IommuGroups.sameSlot(f.address(), address)));
      if (function.secondaryBus() != 0) {
        function
            .config()
            .busNumbers(
                address.bus(), function.secondaryBus(), lastBusBelow(function.secondaryBus()));
      }
    }
  }

  private int lastBusBelow(int bus) {
    return functions.values().stream()
        .filter(f -> f.address().bus() == bus && f.secondaryBus() != 0)
        .mapToInt(f -> lastBusBelow(f.secondaryBus()))
        .reduce(bus, Math::max);
  }

  private boolean isFree(PciAddress address) {
    return functions.values().stream().noneMatch(f -> f.address().equals(address));
  }

  private PciAddress freeSlot(int bus) {
    for (int slot = 0; slot < SLOTS; slot++) {
      PciAddress address = new PciAddress(0, bus, slot, 0);
      if (functions.values().stream().noneMatch(f -> IommuGroups.sameSlot(f.address(), address))) {
        return address;
      }
    }
    throw new IllegalStateException("all " + SLOTS + " slots of the simulated bus are taken");
  }

  private int freeBus() {
    for (int bus = 1; bus <= LAST_BUS; bus++) {
      int number = bus;
      if (functions.values().stream().noneMatch(f -> f.secondaryBus() == number)) {
        return bus;
      }
    }
    throw new IllegalStateException("all " + LAST_BUS + " bus numbers are taken");
  }

  private long assignAddress(BarDescription bar) {
    if (bar.kind() == Bar.Kind.IO) {
      long address = (nextPort + bar.size() - 1) & -bar.size();
      if (address + bar.size() > END_OF_PORTS) {
        return 0;
      }
      nextPort = address + bar.size();
      return address;
    }
    if (bar.wide()) {
      long address = (nextHigh + bar.size() - 1) & -bar.size();
      nextHigh = address + bar.size();
      return address;
    }
    long address = (nextLow + bar.size() - 1) & -bar.size();
    if (address + bar.size() > END_OF_LOW) {
      return 0; // as firmware does where there is no room: nothing here decodes by address
    }
    nextLow = address + bar.size();
    return address;
  }
}
