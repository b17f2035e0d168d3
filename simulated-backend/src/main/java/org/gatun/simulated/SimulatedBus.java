package org.gatun.simulated;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciAddress;
import org.gatun.pci.PciDevice;
import org.gatun.pci.TimeSource;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.PciBackend;
import org.gatun.pci.spi.SeizedDevice;
import org.gatun.simulated.FunctionDescription.BarDescription;

/**
 * An emulated PCI bus with its IOMMU, of up to 32 devices. Any thread.
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

  private final BusTime time;
  private final SimulatedIommu iommu = new SimulatedIommu();
  private final Map<DeviceName, SimulatedFunction> functions = new LinkedHashMap<>();
  private long nextLow = FIRST_LOW;
  private long nextHigh = FIRST_HIGH;
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
   * Plugs a device into the next free slot, and powers it up.
   *
   * @param name the text of the device's name, unique on this bus
   * @return its name, to {@link #open} it
   * @throws IllegalArgumentException if the name is taken
   * @throws IllegalStateException if no slot is free, or the bus is closed
   * @throws DeviceUnavailableException if the model can't start
   */
  public synchronized DeviceName plug(String name, DeviceModel model) {
    DeviceName deviceName = new DeviceName(SCHEME, name);
    if (closed) {
      throw new IllegalStateException("the simulated bus is closed");
    }
    if (functions.containsKey(deviceName)) {
      throw new IllegalArgumentException(deviceName + " is plugged in already");
    }
    PciAddress address = freeSlot();
    Map<Integer, Long> barAddresses = new HashMap<>();
    for (BarDescription bar : model.description().bars()) {
      barAddresses.put(bar.index(), assignAddress(bar));
    }
    functions.put(
        deviceName, new SimulatedFunction(deviceName, address, model, barAddresses, time, iommu));
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
    return plug(text, ModelText.parse(new DeviceName(SCHEME, text)));
  }

  /**
   * Pulls a device out. If it is open, its listeners hear that it is gone, on this thread; each use
   * of it throws {@link org.gatun.pci.DeviceGoneException}, except that its DMA memory stays until
   * its owner closes it.
   *
   * @throws IllegalArgumentException if there is no such device
   */
  public void unplug(DeviceName name) {
    SimulatedFunction function;
    synchronized (this) {
      function = functions.remove(name);
    }
    if (function == null) {
      throw new IllegalArgumentException("there is no " + name + " on this bus");
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

  /** The devices that are plugged in, by slot. */
  @Override
  public synchronized List<FoundDevice> scan() {
    return functions.values().stream()
        .map(
            f ->
                new FoundDevice(
                    f.name(),
                    f.address(),
                    f.description().id(),
                    f.description().pciClass(),
                    Optional.empty(),
                    Optional.of(f.address().device()),
                    Set.of()))
        .sorted((a, b) -> a.address().compareTo(b.address()))
        .toList();
  }

  /**
   * Opens a device: reset, bus master off, interrupts off.
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
    return new SimulatedDevice(function, afterClose);
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
      function = functions.get(name);
    }
    if (function == null) {
      throw new IllegalArgumentException("there is no " + name + " on this bus");
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

  private PciAddress freeSlot() {
    for (int slot = 0; slot < SLOTS; slot++) {
      PciAddress address = new PciAddress(0, 0, slot, 0);
      if (functions.values().stream().noneMatch(f -> f.address().equals(address))) {
        return address;
      }
    }
    throw new IllegalStateException("all " + SLOTS + " slots of the simulated bus are taken");
  }

  private long assignAddress(BarDescription bar) {
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
