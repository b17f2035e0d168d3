package org.gatun.simulated;

import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciAddress;
import org.gatun.pci.RegisterHandler;
import org.gatun.pci.TimeSource;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.jspecify.annotations.Nullable;

/** A function in its slot: config space, IOMMU, interrupts and the model behind its BARs. */
final class SimulatedFunction implements ModelContext {
  private record Place(int bar, long offset) {}

  private final DeviceName name;
  private final PciAddress address;
  private final FunctionDescription description;
  private final BusTime time;
  private final SimulatedConfig config;
  private final IommuDomain domain;
  private final SimulatedInterrupts interrupts;
  private final Map<Place, SharedMemory> shared = new HashMap<>();
  private final RunningModel model;
  private final AtomicReference<@Nullable SimulatedDevice> owner = new AtomicReference<>();
  private final Object decodeLock = new Object();
  private volatile boolean memoryDecode;

  SimulatedFunction(
      DeviceName name,
      PciAddress address,
      DeviceModel blueprint,
      Map<Integer, Long> barAddresses,
      BusTime time,
      SimulatedIommu iommu) {
    this.name = name;
    this.address = address;
    this.description = blueprint.description();
    this.time = time;
    this.domain = new IommuDomain(name, iommu);
    this.config = new SimulatedConfig(description, barAddresses, this::configChanged);
    this.interrupts = new SimulatedInterrupts(name, description.interrupts(), config, time);
    try {
      for (BarDescription bar : description.bars()) {
        for (Bar.Range range : bar.ranges()) {
          if (range.access() == Bar.Access.DIRECT) {
            shared.put(new Place(bar.index(), range.offset()), new SharedMemory(range.length()));
          }
        }
      }
      this.model = blueprint.start(this);
    } catch (RuntimeException e) {
      shared.values().forEach(SharedMemory::close);
      throw e;
    }
    configChanged();
  }

  @Override
  public DeviceName name() {
    return name;
  }

  PciAddress address() {
    return address;
  }

  FunctionDescription description() {
    return description;
  }

  SimulatedConfig config() {
    return config;
  }

  IommuDomain domain() {
    return domain;
  }

  SimulatedInterrupts interrupts() {
    return interrupts;
  }

  @Nullable SimulatedDevice owner() {
    return owner.get();
  }

  void acquire(SimulatedDevice device) {
    if (!owner.compareAndSet(null, device)) {
      throw new DeviceUnavailableException(
          name, "the device is busy: it is open already", "close it there first", null);
    }
  }

  void release(SimulatedDevice device) {
    owner.compareAndSet(device, null);
  }

  @Override
  public DmaPort newDmaPort() {
    return domain.newPort();
  }

  @Override
  public boolean hasMessageInterrupts() {
    return interrupts.hasMessages();
  }

  @Override
  public void signal(int vector) {
    interrupts.signal(vector);
  }

  @Override
  public void setInterruptLine(boolean on) {
    interrupts.setLine(on);
  }

  @Override
  public TimeSource time() {
    return time;
  }

  @Override
  public void schedule(long delayNanos, Runnable action) {
    time.schedule(delayNanos, action);
  }

  @Override
  public MemorySegment sharedMemory(int bar, long offset) {
    return shared(bar, offset).segment();
  }

  SharedMemory shared(int bar, long offset) {
    SharedMemory memory = shared.get(new Place(bar, offset));
    if (memory == null) {
      throw new IllegalArgumentException(
          "%s: no direct range starts at 0x%x of BAR %d".formatted(name, offset, bar));
    }
    return memory;
  }

  /** Serves a trapped part of a BAR. */
  RegisterHandler handler(int bar, long start) {
    return new RegisterHandler() {
      @Override
      public long read(long offset, int width) {
        return readBar(bar, start + offset, width);
      }

      @Override
      public void write(long offset, int width, long value) {
        writeBar(bar, start + offset, width, value);
      }
    };
  }

  /**
   * Resets the function: DMA and interrupts stop first, so that none come out of a model that is
   * half reset.
   */
  void reset() {
    domain.busMaster(false);
    model.reset();
    interrupts.reset();
    config.reset();
  }

  /** Whether the function answers at its BARs. */
  void decode(boolean on) {
    config.command(ConfigRegisters.COMMAND_MEMORY | ConfigRegisters.COMMAND_IO, on);
  }

  /** Takes the device out of its slot, with no owner left. */
  void close() {
    domain.busMaster(false);
    model.close();
    interrupts.reset();
    shared.values().forEach(SharedMemory::close);
  }

  private long readBar(int bar, long offset, int width) {
    if (!memoryDecode) {
      return -1; // nobody answers on the bus
    }
    return interrupts.serves(bar, offset)
        ? interrupts.read(offset, width)
        : model.read(bar, offset, width);
  }

  private void writeBar(int bar, long offset, int width, long value) {
    if (!memoryDecode) {
      return;
    }
    if (interrupts.serves(bar, offset)) {
      interrupts.write(offset, width, value);
    } else {
      model.write(bar, offset, width, value);
    }
  }

  private void configChanged() {
    synchronized (decodeLock) {
      memoryDecode = config.command(ConfigRegisters.COMMAND_MEMORY);
      domain.busMaster(config.command(ConfigRegisters.COMMAND_BUS_MASTER));
    }
    // Not under that lock: whoever enables interrupts holds theirs, and comes here.
    interrupts.update();
  }
}
