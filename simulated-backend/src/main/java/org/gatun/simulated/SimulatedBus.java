package org.gatun.simulated;

import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Collectors;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.Hazard;
import org.gatun.pci.spi.PciBackend;
import org.gatun.pci.spi.SeizedDevice;
import org.gatun.simulated.SimulatedFunction.Slot;
import org.gatun.simulated.SimulatedFunction.Surroundings;
import org.gatun.simulated.fault.Faults;
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

  /** What a machine may lack, as opposed to a device. */
  private static final Set<Hazard> OF_THE_MACHINE =
      Set.of(Hazard.UNPROTECTED_DMA, Hazard.UNSAFE_INTERRUPTS);

  private final BusTime time;
  private final SimulatedIommu iommu = new SimulatedIommu();
  private final Topology topology = new Topology(iommu);
  private final SimulatedFunction.Host host = new Host();
  private Set<Hazard> machineHazards = Set.of();
  private @Nullable Trace dmaTrace;
  private OptionalLong postingSeed = OptionalLong.empty();
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
   * Posts the writes to trapped memory of devices that are plugged in from now on, as real buses
   * do: a write arrives up to some microseconds of the bus's time after the call, unless the host
   * reads of the device before, or accesses its config space or ports. A driver that takes it for
   * done when it has written, and does not read back, sees what that does.
   *
   * @param seed of how long each takes
   */
  public synchronized void postWrites(long seed) {
    postingSeed = OptionalLong.of(seed);
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
    return plugOn(null, name, model);
  }

  /**
   * Plugs a device into the next free slot of the bus behind a bridge, and powers it up. Buses are
   * numbered as firmware does it, depth first: a bridge that is plugged in before others changes
   * their numbers, and so the addresses of what is behind them.
   *
   * @throws IllegalArgumentException as {@link #plug(String, DeviceModel)}, or if there is no such
   *     bridge, or if of a switch's upstream port and its downstream ports, one is without the
   *     other
   * @throws IllegalStateException as {@link #plug(String, DeviceModel)}
   * @throws DeviceUnavailableException as {@link #plug(String, DeviceModel)}
   */
  public synchronized DeviceName plugBehind(DeviceName bridge, String name, DeviceModel model) {
    SimulatedFunction found = topology.get(bridge);
    if (!found.description().bridge()) {
      throw new IllegalArgumentException(bridge + " is not a bridge");
    }
    if (!found.isPresent()) {
      throw new IllegalArgumentException(bridge + " is being pulled out");
    }
    return plugOn(found, name, model);
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
    SimulatedFunction first = topology.get(sibling);
    DeviceName deviceName = freeName(name);
    FunctionDescription description = model.description();
    return start(topology.nextFunction(deviceName, first, description), description, model);
  }

  private DeviceName plugOn(@Nullable SimulatedFunction bridge, String name, DeviceModel model) {
    DeviceName deviceName = freeName(name);
    FunctionDescription description = model.description();
    return start(topology.nextSlot(deviceName, bridge, description), description, model);
  }

  private DeviceName freeName(String text) {
    DeviceName name = new DeviceName(SCHEME, text);
    if (closed) {
      throw new IllegalStateException("the simulated bus is closed");
    }
    if (topology.find(name) != null) {
      throw new IllegalArgumentException(name + " is plugged in already");
    }
    return name;
  }

  private DeviceName start(Slot slot, FunctionDescription description, DeviceModel model) {
    try {
      Tracer tracer = dmaTrace == null ? null : dmaTrace.tracer(slot.name());
      topology.add(
          new SimulatedFunction(
              slot, model, new Surroundings(time, iommu, host, postingSeed, tracer)));
    } catch (RuntimeException e) {
      topology.giveBack(slot, description);
      throw e;
    }
    return slot.name();
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
    return plug(text, model(text));
  }

  /**
   * As {@link #plug(String)}, with the switch by which things go wrong with it.
   *
   * @throws IllegalArgumentException as {@link #plug(String)}
   * @throws IllegalStateException as {@link #plug(String, DeviceModel)}
   * @throws DeviceUnavailableException as {@link #plug(String, DeviceModel)}
   */
  public DeviceName plug(String text, Faults faults) {
    return plug(text, faults.on(model(text)));
  }

  private static DeviceModel model(String text) {
    return ModelText.parse(new DeviceName(SCHEME, text), () -> NvmeModel.SERIAL);
  }

  /**
   * Pulls a device out. If it is open, its listeners hear that it is gone, on this thread; each use
   * of it throws {@link org.gatun.pci.DeviceGoneException}, except that its DMA memory stays until
   * its owner closes it. What is behind a bridge is pulled out with it, before, and so are the
   * virtual functions of a physical one.
   *
   * @throws IllegalArgumentException if there is no such device
   */
  public void unplug(DeviceName name) {
    SimulatedFunction function;
    synchronized (this) {
      function = topology.get(name);
    }
    pullOut(function);
  }

  /**
   * Pulls a device out without a word to whoever has it open: from now on all that it reads is all
   * ones, what it writes is lost, and the device does no DMA and no interrupts; only memory that a
   * model shares stays as it is. The port in front shows it. The rest of {@link #unplug} follows
   * later, when a host would have found out.
   *
   * @param untilHeard how long that takes, in the bus's time
   * @throws IllegalArgumentException if there is no such device
   */
  public void pull(DeviceName name, Duration untilHeard) {
    SimulatedFunction function;
    synchronized (this) {
      function = topology.get(name);
    }
    function.cut();
    synchronized (this) {
      topology.showSlots();
    }
    time.schedule(BusTime.nanos(untilHeard), () -> pullOut(function));
  }

  /** Does nothing with what is not there any more. */
  private void pullOut(SimulatedFunction function) {
    function.cut(); // nothing is plugged in behind it any more
    List<SimulatedFunction> first;
    synchronized (this) {
      first = topology.dependentsOf(function);
    }
    first.forEach(this::pullOut);
    synchronized (this) {
      if (!topology.remove(function)) {
        return;
      }
    }
    SimulatedDevice owner = function.owner();
    if (owner != null) {
      owner.unplugged("it was unplugged");
    }
    function.close();
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
    return topology.get(name).config();
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
      function = topology.get(name);
    }
    return function.peek(bar, offset, width);
  }

  /**
   * The interrupt line that the pin of a device is routed to, as it is now; empty if it has no pin.
   *
   * @throws IllegalArgumentException if there is no such device
   */
  public synchronized Optional<InterruptLine> interruptLine(DeviceName name) {
    OptionalInt number = topology.get(name).interruptLine();
    if (number.isEmpty()) {
      return Optional.empty();
    }
    List<SimulatedFunction> sharing =
        topology.functions().stream()
            .filter(f -> f.interruptLine().equals(number))
            .sorted(SimulatedFunction.BY_ADDRESS)
            .toList();
    return Optional.of(
        new InterruptLine(
            number.getAsInt(),
            sharing.stream().map(SimulatedFunction::name).toList(),
            sharing.stream()
                .filter(f -> f.interrupts().isAsserting())
                .map(SimulatedFunction::name)
                .toList()));
  }

  /** The devices that are plugged in, bridges too, by address. */
  @Override
  public synchronized List<FoundDevice> scan() {
    return topology.functions().stream()
        .sorted(SimulatedFunction.BY_ADDRESS)
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
    SimulatedDevice device;
    synchronized (this) {
      SimulatedFunction function = topology.find(name);
      if (function == null) {
        throw new DeviceUnavailableException(
            name, "there is no such device on this bus", "plugged in are: " + names(), null);
      }
      // Under the lock: whoever pulls it out afterwards finds its owner, who hears of it.
      device = new SimulatedDevice(function, () -> isResettable(function), afterClose);
    }
    device.resetIfPossible();
    return device;
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
      function = topology.get(name);
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
      all = topology.clear();
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
    return topology.functions().isEmpty()
        ? "none"
        : topology.functions().stream()
            .map(f -> f.name().toString())
            .collect(Collectors.joining(", "));
  }

  private synchronized boolean isResettable(SimulatedFunction function) {
    return topology.isResettable(function);
  }

  private Set<Hazard> hazards(SimulatedFunction function) {
    Set<Hazard> hazards = EnumSet.noneOf(Hazard.class);
    hazards.addAll(machineHazards);
    boolean hasOthers =
        topology.functions().stream()
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

  /** Called in the bus's time, with no lock held. */
  private final class Host implements SimulatedFunction.Host {
    @Override
    public void plugVirtual(SimulatedFunction physical, int number) {
      synchronized (SimulatedBus.this) {
        if (topology.find(physical.name()) == physical && physical.isPresent()) {
          DeviceName name = freeName(physical.name().text() + "/vf" + number);
          Slot slot = topology.virtualSlot(name, physical, number);
          VirtualFunctions all = physical.description().virtualFunctions().orElseThrow();
          start(slot, all.each(), all.models().apply(number));
        }
      }
    }

    @Override
    public void unplugVirtual(SimulatedFunction physical) {
      List<SimulatedFunction> there;
      synchronized (SimulatedBus.this) {
        there = topology.virtualOf(physical);
      }
      there.forEach(SimulatedBus.this::pullOut);
    }

    @Override
    public void pullOut(SimulatedFunction function) {
      SimulatedBus.this.pullOut(function);
    }
  }
}
