package org.gatun.vfiouser.client;

import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.gatun.nativeaccess.Access;
import org.gatun.nativeaccess.Errno;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.Mapping;
import org.gatun.nativeaccess.Memfd;
import org.gatun.nativeaccess.UnixSocket;
import org.gatun.pci.Bar;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciDevice;
import org.gatun.pci.PciException;
import org.gatun.pci.ResetUnavailableException;
import org.gatun.pci.config.BarRegister;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.ResourceTracker;
import org.gatun.vfio.common.CommandRegister;
import org.gatun.vfio.common.DetachWatcher;
import org.gatun.vfio.common.MsixTable;
import org.gatun.vfio.common.Region;
import org.gatun.vfio.common.Vfio;
import org.gatun.vfio.common.VfioBar;
import org.gatun.vfio.common.VfioInterrupts;
import org.gatun.vfiouser.Inherited;
import org.gatun.vfiouser.Limits;
import org.gatun.vfiouser.client.Wire.RegionAndFile;
import org.gatun.vfiouser.wire.Command;
import org.gatun.vfiouser.wire.Connection;
import org.gatun.vfiouser.wire.DisconnectedException;
import org.gatun.vfiouser.wire.Message;
import org.gatun.vfiouser.wire.ProtocolException;
import org.jspecify.annotations.Nullable;

/** A device that somebody serves at a socket, open. */
public final class VfioUserDevice implements PciDevice {
  private static final System.Logger LOG = System.getLogger(VfioUserDevice.class.getName());
  private static final int BARS = 6;

  /** INTx, MSI, MSI-X, error, request. */
  private static final int IRQS = Vfio.PCI_REQ_IRQ_INDEX + 1;

  /** A device may have regions of its own behind these nine; more of anything makes no sense. */
  private static final int SANE = 100;

  private static final long MAX_BAR = 1L << 56;
  private static final Duration JOIN = Duration.ofSeconds(5);

  private final DeviceName name;
  private final Wire wire;
  private final boolean resettable;
  private final ConfigSpace config;
  private final List<Memfd> files = new ArrayList<>();
  private final List<WireDoorbells> rings = new ArrayList<>();
  private final ResourceTracker tracker;
  private final List<VfioBar> bars;
  private final CommandRegister command;
  private final SharedDma dma;
  private final @Nullable Inherited inherited;
  private final VfioInterrupts interrupts;
  private final DetachWatcher watcher;
  private final Thread idle;

  /** Held by what changes the command register or the state of the device, and by close. */
  private final ReentrantLock lock = new ReentrantLock();

  private volatile boolean closed;

  /**
   * Opens a device.
   *
   * @param socket connected; is taken over
   * @throws DeviceUnavailableException if its server refuses, does not answer, or makes no sense
   */
  public static VfioUserDevice open(DeviceName name, UnixSocket socket, Limits limits) {
    return open(name, socket, limits, null);
  }

  /**
   * As {@link #open(DeviceName, UnixSocket, Limits)}.
   *
   * @param inherited what of the device this process was started with; null if descriptors come
   *     over the socket
   */
  public static VfioUserDevice open(
      DeviceName name, UnixSocket socket, Limits limits, @Nullable Inherited inherited) {
    Wire wire = null;
    VfioUserDevice device = null;
    boolean opened = false;
    try {
      wire = Wire.connect(name, socket, limits);
      device = new VfioUserDevice(name, wire, inherited);
      device.settle();
      opened = true;
      return device;
    } catch (DeviceGoneException | LinuxException | ProtocolException e) {
      throw unavailable(name, String.valueOf(e.getMessage()), e);
    } finally {
      if (!opened) {
        if (device != null) {
          device.close();
        } else if (wire != null) {
          wire.close();
        } else {
          socket.close();
        }
      }
    }
  }

  /**
   * Looks at a device, and changes nothing.
   *
   * @param socket connected; is taken over
   * @throws DeviceUnavailableException as {@link #open}
   */
  public static FoundDevice find(DeviceName name, UnixSocket socket, Limits limits) {
    try (Wire wire = Wire.connect(name, socket, limits)) {
      ConfigSpace config = findConfig(name, wire);
      return new FoundDevice(
          name,
          Optional.empty(),
          PciId.of(config),
          PciClass.of(config),
          Optional.empty(),
          Optional.empty(),
          Set.of());
    } catch (DeviceGoneException | LinuxException | ProtocolException e) {
      throw unavailable(name, String.valueOf(e.getMessage()), e);
    }
  }

  private VfioUserDevice(DeviceName name, Wire wire, @Nullable Inherited inherited) {
    this.name = name;
    this.wire = wire;
    this.tracker = new ResourceTracker(name);
    this.inherited = inherited;
    this.dma =
        inherited == null
            ? new WireDmaSpace(name, wire, tracker)
            : new InheritedDmaSpace(name, inherited, tracker);
    Connection connection = wire.connection();
    connection.serveWhileWaiting(request -> serve(connection, request));
    boolean made = false;
    try {
      Wire.DeviceInfo info = wire.info();
      if ((info.flags() & Vfio.DEVICE_FLAGS_PCI) == 0
          || info.regions() <= Vfio.PCI_CONFIG_REGION_INDEX
          || info.regions() > SANE
          || info.irqs() < 0
          || info.irqs() > SANE) {
        throw unavailable(name, "what is served there is no PCI device: " + info, null);
      }
      this.resettable = (info.flags() & Vfio.DEVICE_FLAGS_RESET) != 0;
      this.config = findConfig(name, wire);
      this.bars = findBars();
      this.command = new CommandRegister(config, bars);
      WireIrqs irqs =
          new WireIrqs(
              wire,
              Math.min(info.irqs(), IRQS),
              inherited == null ? null : new InheritedEvents(inherited.events()));
      this.interrupts = new VfioInterrupts(name, irqs, config);
      this.watcher = DetachWatcher.start(name, irqs);
      made = true;
    } finally {
      if (!made) {
        files.forEach(Memfd::close);
        rings.forEach(WireDoorbells::close);
      }
    }
    this.idle =
        Thread.ofPlatform().daemon().name("gatun connection of " + name).start(this::serveIdle);
  }

  private static DeviceUnavailableException unavailable(
      DeviceName name, String problem, @Nullable Exception cause) {
    return new DeviceUnavailableException(
        name,
        problem,
        "see what serves it, and whether another client has it: they take turns",
        cause);
  }

  private static ConfigSpace findConfig(DeviceName name, Wire wire) {
    RegionAndFile found = wire.region(Vfio.PCI_CONFIG_REGION_INDEX);
    if (found.memory() != null) {
      found.memory().close();
    }
    long size = found.region().size();
    if (size < ConfigRegisters.CONVENTIONAL_SIZE) {
      throw unavailable(name, "its config space has " + size + " bytes", null);
    }
    return new WireConfigSpace(
        name,
        wire,
        size < ConfigRegisters.EXPRESS_SIZE
            ? ConfigRegisters.CONVENTIONAL_SIZE
            : ConfigRegisters.EXPRESS_SIZE);
  }

  private List<VfioBar> findBars() {
    MsixTable msix = MsixTable.find(config);
    List<BarRegister> registers = BarRegister.decode(config);
    List<RegionAndFile> regions = new ArrayList<>();
    for (int index = 0; index < BARS; index++) {
      RegionAndFile found = wire.region(index);
      regions.add(found);
      if (found.memory() != null) {
        files.add(found.memory());
      }
    }
    List<WireDoorbells> doorbells = new ArrayList<>();
    for (RegionAndFile found : regions) {
      WireDoorbells some =
          found.region().size() > 0 ? wire.doorbells(found.region()) : WireDoorbells.NONE;
      doorbells.add(some);
      rings.add(some);
    }
    // A write could overtake one that is on its way to the server.
    boolean posted =
        inherited == null
            && regions.stream().allMatch(found -> found.memory() == null)
            && doorbells.stream().allMatch(WireDoorbells::isEmpty);
    List<VfioBar> made = new ArrayList<>();
    for (BarRegister register : registers) {
      RegionAndFile found = regions.get(register.index());
      Region region = found.region();
      if (region.size() == 0) {
        continue;
      }
      if (Long.bitCount(region.size()) != 1 || region.size() < 4 || region.size() > MAX_BAR) {
        throw unavailable(
            name, "its BAR %d has 0x%x bytes".formatted(register.index(), region.size()), null);
      }
      made.add(
          new VfioBar(
              name,
              source(found),
              mappable(found),
              register.io() ? Bar.Kind.IO : Bar.Kind.MEMORY,
              register.prefetchable(),
              msix.in(register.index()),
              tracker,
              start ->
                  new WireRegisters(
                      name,
                      wire,
                      doorbells.get(register.index()),
                      register.index(),
                      start,
                      posted)));
    }
    return made;
  }

  private VfioBar.@Nullable Source source(RegionAndFile found) {
    Region region = found.region();
    Memfd memory = found.memory();
    if (inherited != null) {
      return (offset, length) -> inherited.map(region.index(), offset, length);
    }
    return memory == null
        ? null
        : (offset, length) ->
            Mapping.map(memory.fd(), region.offset() + offset, length, Access.READ_WRITE);
  }

  /**
   * Without memory, or with too little, nothing of a region can be mapped, whatever its server
   * says.
   */
  private Region mappable(RegionAndFile found) {
    Region region = found.region();
    if (inherited != null) {
      return withAreas(region, inherited.areas(region.index()));
    }
    Memfd memory = found.memory();
    return memory != null && holds(memory, region) ? region : withAreas(region, List.of());
  }

  private static Region withAreas(Region region, List<Region.Area> areas) {
    return new Region(
        region.index(),
        region.readable(),
        region.writable(),
        region.size(),
        region.offset(),
        areas);
  }

  /** An access behind the end of a file is an error that comes late, so none is allowed. */
  private static boolean holds(Memfd memory, Region region) {
    long end =
        region.areas().stream()
            .filter(area -> area.offset() >= 0 && area.offset() < region.size())
            .mapToLong(area -> area.offset() + Math.min(area.size(), region.size() - area.offset()))
            .max()
            .orElse(0);
    return memory.size() >= region.offset() + end;
  }

  /** As a device is to be found after opening it. */
  private void settle() {
    if (resettable) {
      wire.reset();
    }
    command.settle();
  }

  @Override
  public DeviceName name() {
    return name;
  }

  @Override
  public ConfigSpace config() {
    checkOpen("config");
    return config;
  }

  @Override
  public Optional<Bar> bar(int index) {
    if (index < 0 || index >= BARS) {
      throw new IllegalArgumentException(name + ": there is no BAR " + index + ", only 0 to 5");
    }
    checkOpen("bar");
    return bars.stream().filter(bar -> bar.index() == index).map(Bar.class::cast).findFirst();
  }

  @Override
  public DmaSpace dma() {
    checkOpen("dma");
    return dma;
  }

  @Override
  public Interrupts interrupts() {
    checkOpen("interrupts");
    return interrupts;
  }

  @Override
  public void busMaster(boolean on) {
    lock.lock();
    try {
      checkOpen("busMaster");
      command.busMaster(on);
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void reset() {
    lock.lock();
    try {
      checkOpen("reset");
      if (!resettable) {
        throw noReset(null);
      }
      try {
        wire.reset();
      } catch (LinuxException e) {
        throw e.errno() == Errno.EOPNOTSUPP
            ? noReset(e)
            : new PciException(name, "reset: " + e.getMessage(), "see what serves it", e);
      }
      interrupts.disable();
      command.settle();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void onDetach(DetachListener listener) {
    checkOpen("onDetach");
    watcher.add(listener);
  }

  @Override
  public Usage usage() {
    return tracker.usage(interrupts.enabledCount());
  }

  @Override
  public void close() {
    lock.lock();
    try {
      if (!closed) {
        closed = true;
        closeInOrder();
      }
    } finally {
      lock.unlock();
    }
    watcher.join();
    joinIdle();
  }

  @Override
  public String toString() {
    return name.toString();
  }

  /** First the device is stopped, and only then taken what it may still be using. */
  private void closeInOrder() {
    attempt("bus master off", () -> command.busMaster(false));
    attempt("interrupts off", interrupts::close);
    if (resettable) {
      attempt("reset", wire::reset);
    }
    wire.hurry();
    attempt("unmapping", tracker::closeAll);
    attempt("disarming", watcher::disarm);
    attempt("the connection", wire::close);
    files.forEach(Memfd::close);
    rings.forEach(WireDoorbells::close);
  }

  private void attempt(String step, Runnable action) {
    try {
      action.run();
    } catch (DeviceGoneException e) {
      LOG.log(Level.DEBUG, () -> name + ": close: " + step + ": " + e.getMessage());
    } catch (RuntimeException | InternalError e) {
      LOG.log(Level.WARNING, name + ": close: " + step + " failed: " + e.getMessage());
      LOG.log(Level.DEBUG, name + ": close: " + step, e);
    }
  }

  private void checkOpen(String operation) {
    if (closed) {
      throw new DeviceGoneException(name, operation, null);
    }
  }

  private ResetUnavailableException noReset(@Nullable Exception cause) {
    return new ResetUnavailableException(
        name, "it has no reset, says who serves it", "serve a device that has one", cause);
  }

  private void serveIdle() {
    String why = wire.connection().serveIdle();
    if (!closed) {
      LOG.log(Level.WARNING, "%s: its server is gone: %s".formatted(name, why));
      watcher.gone("its server is gone: " + why);
    }
  }

  private void joinIdle() {
    if (Thread.currentThread().equals(idle)) {
      return;
    }
    try {
      if (!idle.join(JOIN)) {
        LOG.log(Level.WARNING, name + ": a detach listener does not return");
      }
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }

  /** What a server asks for that does not map the memory it was given. */
  private void serve(Connection connection, Message request) {
    Message reply = new Message();
    Command asked = Command.of(request.commandNumber());
    if ((asked == Command.DMA_READ || asked == Command.DMA_WRITE)
        && request.payloadSize() >= asked.requestSize()) {
      long address = request.getLong(0);
      long size = request.getLong(8);
      boolean write = asked == Command.DMA_WRITE;
      MemorySegment memory = size <= Limits.DEFAULT.transfer() ? dma.find(address, size) : null;
      if (memory != null && (!write || request.payloadSize() - 16 == size)) {
        try {
          if (write) {
            memory.copyFrom(request.payload(16, size));
            reply.replyTo(request, 16);
          } else {
            reply.replyTo(request, 16 + (int) size).payload(16, size).copyFrom(memory);
          }
          reply.putLong(0, address).putLong(8, size);
        } catch (IllegalStateException _) {
          reply.errorTo(request, Errno.EFAULT); // freed meanwhile
        }
      } else {
        reply.errorTo(request, Errno.EINVAL);
      }
    } else {
      reply.errorTo(request, Errno.EINVAL);
    }
    if (!request.isPosted()) {
      try {
        connection.send(reply);
      } catch (DisconnectedException e) {
        LOG.log(Level.DEBUG, () -> name + ": " + e.getMessage());
      }
    }
  }
}
