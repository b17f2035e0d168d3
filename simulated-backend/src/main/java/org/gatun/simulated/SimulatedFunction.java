package org.gatun.simulated;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongConsumer;
import java.util.stream.Stream;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.DmaDirection;
import org.gatun.pci.PciAddress;
import org.gatun.pci.RegisterHandler;
import org.gatun.pci.TimeSource;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.simulated.FunctionDescription.BarDescription;
import org.gatun.simulated.trace.Tracer;
import org.jspecify.annotations.Nullable;

/** A function in its slot: config space, IOMMU, interrupts and the model behind its BARs. */
final class SimulatedFunction implements ModelContext {
  static final Comparator<SimulatedFunction> BY_ADDRESS =
      Comparator.comparing(SimulatedFunction::address);

  /**
   * Of the order of what links take: the specification only has limits, as 24 ms in Polling.Active
   * (PCI Express Base Specification 5.0, 4.2.6.2.1).
   */
  private static final Duration LINK_TRAINING = Duration.ofMillis(10);

  private final Slot slot;
  private final FunctionDescription description;
  private final BusTime time;
  private final SimulatedConfig config;
  private final Route route;
  private final @Nullable VirtualHeader virtualHeader;
  private final @Nullable SingleRoot singleRoot;
  private final BusMaster busMaster;
  private final SimulatedInterrupts interrupts;

  /** The host's writes on their way, if they are posted. */
  private final @Nullable PostedWrites posted;

  private final Map<Integer, BarMemory> shared = new HashMap<>();
  private final RunningModel model;
  private final AtomicReference<@Nullable SimulatedDevice> owner = new AtomicReference<>();

  /** What its registers count for: what is on the bus behind it, or its virtual functions. */
  private final List<SimulatedFunction> dependents = new CopyOnWriteArrayList<>();

  /** Whether an event of its slot waits for software; guarded by interrupts. */
  private boolean slotEvent;

  private final Link link;
  private final Object decodeLock = new Object();
  private final AccessState state = new AccessState();
  private volatile boolean portDecode;

  /** The number of the bus behind it, if it is a bridge; else 0. */
  private volatile int secondaryBus;

  /**
   * Where a function is.
   *
   * @param bridge to its bus; null on the root bus
   * @param device the number of the slot on that bus
   * @param barAddresses by index of the BAR
   * @param windows of what is behind it, if it is a bridge; else null
   * @param virtualPlaces of its virtual functions, if it has any; else null
   * @param physical the physical function, if it is a virtual one; else null
   */
  record Slot(
      DeviceName name,
      @Nullable SimulatedFunction bridge,
      int device,
      int function,
      Map<Integer, Long> barAddresses,
      @Nullable BridgeWindows windows,
      VirtualFunctions.@Nullable Places virtualPlaces,
      @Nullable SimulatedFunction physical,
      IommuGroup group) {
    /** Slot and function, as in the low 8 bits of a routing id. */
    int routingId() {
      return device << 3 | function;
    }
  }

  /** The bus, as a function needs it. */
  interface Host {
    /**
     * Plugs a virtual function in. Does nothing if the physical function is not there any more.
     *
     * @throws DeviceUnavailableException if the model can't start
     * @throws IllegalArgumentException if the name is taken
     */
    void plugVirtual(SimulatedFunction physical, int number);

    /** Pulls out all virtual functions that there are. */
    void unplugVirtual(SimulatedFunction physical);

    /** Pulls a function out, if it is still there; with no lock held. */
    void pullOut(SimulatedFunction function);
  }

  /**
   * What a function has of its bus.
   *
   * @param postingSeed if writes are posted
   * @param tracer who writes down its DMA; null for nobody
   */
  record Surroundings(
      BusTime time,
      SimulatedIommu iommu,
      Host host,
      OptionalLong postingSeed,
      @Nullable Tracer tracer) {}

  SimulatedFunction(Slot slot, DeviceModel blueprint, Surroundings bus) {
    this.slot = slot;
    this.link = new LinkOfFunction(bus.host());
    this.description = blueprint.description();
    this.time = bus.time();
    this.config = new SimulatedConfig(description, slot, new Writes());
    SimulatedFunction bridge = slot.bridge();
    SimulatedFunction physical = slot.physical();
    this.route =
        new Route(
            config, bridge == null ? null : bridge.route, physical == null ? null : physical.route);
    this.virtualHeader =
        physical == null ? null : new VirtualHeader(new ConfigLayout(description, slot, false));
    this.singleRoot = slot.virtualPlaces() == null ? null : new SingleRoot(this, time, bus.host());
    this.busMaster =
        new BusMaster(
            slot.name(), slot.group().domain(), bus.iommu(), new OwnRequests(), bus.tracer());
    this.interrupts =
        new SimulatedInterrupts(this, route, busMaster, bus.iommu().interrupts(), state, time);
    this.posted =
        bus.postingSeed().isEmpty()
            ? null
            : new PostedWrites(
                bus.postingSeed().getAsLong() ^ name().hashCode(), time, interrupts::signalEvents);
    try {
      for (BarDescription bar : description.bars()) {
        long size =
            bar.ranges().stream()
                .filter(range -> range.access() == Bar.Access.DIRECT)
                .mapToLong(range -> range.offset() + range.length())
                .max()
                .orElse(0);
        if (size > 0) {
          shared.put(bar.index(), new BarMemory(slot.name() + " BAR " + bar.index(), size));
        }
      }
      this.model = blueprint.start(this);
    } catch (RuntimeException e) {
      shared.values().forEach(BarMemory::close);
      busMaster.detach();
      throw e;
    }
    dependsOn().forEach(f -> f.dependents.add(this));
    configChanged();
  }

  @Override
  public DeviceName name() {
    return slot.name();
  }

  Slot slot() {
    return slot;
  }

  /** With the number that its bus has now. */
  PciAddress address() {
    SimulatedFunction bridge = slot.bridge();
    return new PciAddress(
        0, bridge == null ? 0 : bridge.secondaryBus, slot.device(), slot.function());
  }

  /** The bridge to its bus; null on the root bus. */
  @Nullable SimulatedFunction bridge() {
    return slot.bridge();
  }

  /** The physical function, if it is a virtual one; else null. */
  @Nullable SimulatedFunction physical() {
    return slot.physical();
  }

  private List<SimulatedFunction> dependsOn() {
    return Stream.of(slot.bridge(), slot.physical()).filter(Objects::nonNull).toList();
  }

  /** Whether it is one of the functions in a slot. */
  boolean isIn(@Nullable SimulatedFunction bridge, int device) {
    return slot.bridge() == bridge && slot.device() == device;
  }

  /** Of the bus behind it: it is a bridge. */
  BridgeWindows windows() {
    return Objects.requireNonNull(slot.windows());
  }

  void secondaryBus(int number) {
    secondaryBus = number;
  }

  IommuGroup group() {
    return slot.group();
  }

  FunctionDescription description() {
    return description;
  }

  /** The line that its pin is routed to; empty if it has none. */
  OptionalInt interruptLine() {
    int pin = description.interrupts().pin();
    return pin == 0 ? OptionalInt.empty() : OptionalInt.of(InterruptLine.route(this, pin));
  }

  SimulatedConfig config() {
    return config;
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
          name(), "the device is busy: it is open already", "close it there first", null);
    }
    route.fence(false);
    config.command(ConfigRegisters.COMMAND_BUS_MASTER, false);
  }

  void release(SimulatedDevice device) {
    owner.compareAndSet(device, null);
  }

  @Override
  public DmaPort newDmaPort() {
    return busMaster.newPort();
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
  public void refuseDma(long busAddress, long size, DmaDirection direction) {
    busMaster.refuse(busAddress, size, direction);
  }

  @Override
  public Link link() {
    return link;
  }

  @Override
  public void targetAbort(boolean write) {
    route.abort(write);
  }

  @Override
  public void signalEvents() {
    interrupts.signalEvents();
  }

  @Override
  public TimeSource time() {
    return time;
  }

  @Override
  public void schedule(long delayNanos, Runnable action) {
    time.schedule(
        delayNanos,
        () -> {
          action.run();
          interrupts.signalEvents();
        });
  }

  @Override
  public MemorySegment sharedMemory(int bar, long offset) {
    Bar.Range range =
        description.bars().stream()
            .filter(b -> b.index() == bar)
            .flatMap(b -> b.ranges().stream())
            .filter(r -> r.access() == Bar.Access.DIRECT && r.offset() == offset)
            .findFirst()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "%s: no direct range starts at 0x%x of BAR %d"
                            .formatted(name(), offset, bar)));
    return memory(bar).view().asSlice(offset, range.length());
  }

  /** The memory behind the direct ranges of a BAR that has some. */
  BarMemory memory(int bar) {
    return Objects.requireNonNull(shared.get(bar));
  }

  /** Who was given memory of the function has something else from now on. */
  void renewPassedOn() {
    boolean renewed = false;
    for (BarMemory memory : shared.values()) {
      renewed |= memory.renew();
    }
    if (renewed) {
      model.reset();
    }
  }

  /** Reads what is behind a BAR, whatever it decodes. */
  long peek(int bar, long offset, int width) {
    BarDescription described =
        description.bars().stream()
            .filter(b -> b.index() == bar)
            .findFirst()
            .orElseThrow(() -> new IllegalArgumentException(name() + " has no BAR " + bar));
    if (Integer.bitCount(width) != 1
        || width > Long.BYTES
        || offset < 0
        || offset > described.size() - width
        || offset % width != 0) {
      throw new IllegalArgumentException(
          "%s: no access of %d bytes at 0x%x of BAR %d".formatted(name(), width, offset, bar));
    }
    for (Bar.Range range : described.ranges()) {
      if (range.access() == Bar.Access.DIRECT && range.contains(offset, width)) {
        MemorySegment memory = sharedMemory(bar, range.offset());
        long value = 0;
        for (int i = 0; i < width; i++) {
          long at = offset - range.offset() + i;
          value |= (memory.get(ValueLayout.JAVA_BYTE, at) & 0xffL) << (8 * i);
        }
        return value;
      }
    }
    return readBar(bar, offset, width);
  }

  /** As the host reads it: all ones if no access arrives. */
  int readConfig(int offset, int width) {
    ConfigSpace.check(offset, width, config.size());
    flushPosted();
    if (!route.isConfigurable()) {
      return -1 >>> (Integer.SIZE - 8 * width);
    }
    ConfigWindow window = config.window();
    if (window != null) {
      window.beforeRead(config, offset, width, new WindowBars(), config::showFetched);
      interrupts.signalEvents();
    }
    int value = config.read(offset, width);
    return virtualHeader == null ? value : virtualHeader.read(offset, width, value);
  }

  /** As the host writes it. */
  void writeConfig(int offset, int width, int value) {
    ConfigSpace.check(offset, width, config.size());
    flushPosted();
    if (route.isConfigurable()) {
      if (virtualHeader != null) {
        virtualHeader.write(offset, width, value);
      }
      config.write(offset, width, value);
      ConfigWindow window = config.window();
      if (window != null) {
        window.afterWrite(config, offset, width, new WindowBars());
      }
    }
  }

  /** Serves a trapped part of a memory BAR. Without decode, nobody answers on the bus. */
  RegisterHandler handler(int bar, long start) {
    TrappedRange range = new TrappedRange(this, bar, start);
    return posted == null ? range : posted.toMemory(range, range);
  }

  /** Serves an I/O BAR, as {@link #handler} does a memory BAR. */
  RegisterHandler portHandler(int bar) {
    RegisterHandler ports = ports(bar);
    return posted == null ? ports : posted.toPorts(ports);
  }

  private RegisterHandler ports(int bar) {
    return new RegisterHandler() {
      @Override
      public long read(long offset, int width) {
        if (!portDecode) {
          route.refuse(ConfigRegisters.COMMAND_IO, false);
          return -1;
        }
        long value = model.read(bar, offset, width);
        interrupts.signalEvents();
        return value;
      }

      @Override
      public void write(long offset, int width, long value) {
        if (portDecode) {
          model.write(bar, offset, width, value);
          interrupts.signalEvents();
        } else {
          route.refuse(ConfigRegisters.COMMAND_IO, false); // never posted
        }
      }
    };
  }

  /**
   * Resets the function: DMA and interrupts stop first, so that none come out of a model that is
   * half reset.
   */
  void reset() {
    flushPosted();
    config.command(ConfigRegisters.COMMAND_BUS_MASTER, false);
    model.reset();
    interrupts.reset();
    config.reset();
  }

  /** As a bridge's bus reset: all that is behind it, however deep. */
  private void resetBehind() {
    for (SimulatedFunction function : dependents) {
      function.reset();
      function.resetBehind();
    }
  }

  /** It is pulled out: nothing passes any more, whatever its registers say. */
  void cut() {
    route.cut();
    configChanged();
  }

  /** Whether it was not pulled out. */
  boolean isPresent() {
    return !route.isCut();
  }

  /** A port with a slot interrupts when something in it comes or goes. */
  private void tellOfSlot() {
    // Whoever enables interrupts holds that monitor, and comes here: so this takes no other before.
    synchronized (interrupts) {
      boolean event = config.hasSlotEvent();
      if (event == slotEvent) {
        return;
      }
      slotEvent = event;
      if (!interrupts.hasMessages()) {
        interrupts.setLine(event);
      } else if (event) {
        interrupts.signal(0);
      }
    }
  }

  /** Stops DMA and interrupts; all else stays as it is. */
  void stop() {
    flushPosted();
    interrupts.disable();
    config.resetCommand();
  }

  void busMaster(boolean on) {
    flushPosted();
    config.command(ConfigRegisters.COMMAND_BUS_MASTER, on);
  }

  /** Lets the function answer at its BARs, or stops it: then also while it is reset. */
  void decode(boolean on) {
    route.fence(!on);
    config.command(ConfigRegisters.COMMAND_MEMORY | ConfigRegisters.COMMAND_IO, on);
  }

  /** Who hears of each access that the IOMMU refuses; null for nobody. */
  void onDmaFault(@Nullable LongConsumer listener) {
    busMaster.onFault(listener);
  }

  /** Takes the device out of its slot, with no owner left. */
  void close() {
    dependsOn().forEach(f -> f.dependents.remove(this));
    busMaster.detach();
    model.close();
    interrupts.reset();
    shared.values().forEach(BarMemory::close);
  }

  private void flushPosted() {
    if (posted != null) {
      posted.arriveAll();
    }
  }

  private long readBar(int bar, long offset, int width) {
    return interrupts.serves(bar, offset)
        ? interrupts.read(offset, width)
        : model.read(bar, offset, width);
  }

  private void writeBar(int bar, long offset, int width, long value) {
    if (interrupts.serves(bar, offset)) {
      interrupts.write(offset, width, value);
    } else {
      model.write(bar, offset, width, value);
    }
  }

  private void configChanged() {
    synchronized (decodeLock) {
      state.memoryDecode = route.allows(ConfigRegisters.COMMAND_MEMORY);
      portDecode = route.allows(ConfigRegisters.COMMAND_IO);
      busMaster.enable(route.allows(ConfigRegisters.COMMAND_BUS_MASTER));
    }
    // Not under that lock: whoever enables interrupts holds theirs, and comes here.
    interrupts.update();
    if (description.port() != null) {
      tellOfSlot();
    }
    dependents.forEach(SimulatedFunction::configChanged);
    if (singleRoot != null) {
      singleRoot.want(config.virtualCount());
    }
  }

  private static final class TrappedRange implements RegisterHandler, PostedWrites.Target {
    private final SimulatedFunction function;
    private final int bar;
    private final long start;
    private final RunningModel model;
    private final AccessState state;

    /** From here on, an access may be one to the MSI-X table: in most ranges, none is. */
    private final long modelOnly;

    TrappedRange(SimulatedFunction function, int bar, long start) {
      this.function = function;
      this.bar = bar;
      this.start = start;
      this.model = function.model;
      this.state = function.state;
      this.modelOnly = function.interrupts.firstServed(bar, start) - start;
    }

    @Override
    public long read(long offset, int width) {
      // Once: after a volatile read, the compiler would load the field again.
      AccessState access = state;
      if (!access.memoryDecode) {
        return refused();
      }
      long value =
          offset < modelOnly
              ? model.read(bar, start + offset, width)
              : function.readBar(bar, start + offset, width);
      if (access.eventsDue) {
        function.signalEvents();
      }
      return value;
    }

    @Override
    public void write(long offset, int width, long value) {
      AccessState access = state;
      arrive(access, offset, width, value);
      if (access.eventsDue) {
        function.signalEvents();
      }
    }

    @Override
    public void arrive(long offset, int width, long value) {
      arrive(state, offset, width, value);
    }

    private void arrive(AccessState access, long offset, int width, long value) {
      if (!access.memoryDecode) {
        function.route.refuse(ConfigRegisters.COMMAND_MEMORY, true);
      } else if (offset < modelOnly) {
        model.write(bar, start + offset, width, value);
      } else {
        function.writeBar(bar, start + offset, width, value);
      }
    }

    private long refused() {
      function.route.refuse(ConfigRegisters.COMMAND_MEMORY, false);
      return -1;
    }
  }

  /** What is reached through config space: registers, whether or not their BAR decodes. */
  private final class WindowBars implements ConfigWindow.Bars {
    @Override
    public boolean has(int bar, long offset, int width) {
      return description.bars().stream()
          .filter(b -> b.index() == bar)
          .flatMap(b -> b.ranges().stream())
          .anyMatch(r -> r.access() == Bar.Access.TRAPPED && r.contains(offset, width));
    }

    @Override
    public long read(int bar, long offset, int width) {
      return readBar(bar, offset, width);
    }

    @Override
    public void write(int bar, long offset, int width, long value) {
      writeBar(bar, offset, width, value);
    }
  }

  private final class OwnRequests implements BusMaster.Requester {
    @Override
    public void readRefused() {
      config.raise(ConfigRegisters.STATUS, SimulatedConfig.RECEIVED_MASTER_ABORT);
    }

    @Override
    public boolean message(long busAddress, int data) {
      return interrupts.message(busAddress, data);
    }
  }

  private final class LinkOfFunction implements Link {
    private final Host host;

    LinkOfFunction(Host host) {
      this.host = host;
    }

    @Override
    public boolean isDown() {
      return route.isLinkDown();
    }

    @Override
    public void down() {
      route.linkDown(true);
      configChanged();
      showInFront();
    }

    @Override
    public void up() {
      schedule(
          LINK_TRAINING.toNanos(),
          () -> {
            if (route.isLinkDown() && !route.isCut()) {
              route.linkDown(false);
              reset(); // which can bring it down again
              configChanged();
              showInFront();
            }
          });
    }

    /** The port at the other end notices (PCI Express Base Specification 5.0, 7.5.3.8). */
    private void showInFront() {
      SimulatedFunction port = bridge();
      if (port != null && physical() == null) {
        port.config.linkLost(route.isLinkDown());
      }
    }

    @Override
    public void pullOut() {
      cut();
      schedule(0, () -> host.pullOut(SimulatedFunction.this));
    }
  }

  private final class Writes implements SimulatedConfig.Listener {
    @Override
    public void changed() {
      configChanged();
    }

    @Override
    public void resetRequested() {
      reset();
    }

    @Override
    public void busResetRequested() {
      resetBehind();
    }

    @Override
    public void slotChanged() {
      if (config.hasSlotEvent()) {
        // In the bus's time: whoever plugs in holds the bus, and an event is code of a driver's.
        schedule(0, SimulatedFunction.this::tellOfSlot);
      }
    }
  }
}
