package org.gatun.vfio;

import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.ReentrantLock;
import org.gatun.nativeaccess.Access;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.Mapping;
import org.gatun.pci.Bar;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciException;
import org.gatun.pci.ResetUnavailableException;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.spi.ResourceTracker;
import org.gatun.vfio.sysfs.SysfsDevice;

/** A device that no IOMMU confines, open through its files in sysfs. */
final class UnprotectedDevice implements OpenDevice {
  private static final System.Logger LOG = System.getLogger(UnprotectedDevice.class.getName());
  private static final int BARS = 6;

  private final DeviceName name;
  private final List<DetachListener> listeners = new CopyOnWriteArrayList<>();
  private final SysfsDevice sysfs;
  private final ResourceTracker tracker;
  private final PhysicalDmaSpace dma;

  /** What is to be closed last, in the order of opening. */
  private final List<AutoCloseable> opened = new ArrayList<>();

  private final List<VfioBar> bars = new ArrayList<>();
  private final ConfigSpace config;
  private final CommandRegister command;
  private final VfioInterrupts interrupts;

  /** Held by what changes the command register or the state of the device, and by close. */
  private final ReentrantLock lock = new ReentrantLock();

  private volatile boolean closed;

  /** Opens what the device needs, and closes that again if it does not succeed. */
  private UnprotectedDevice(DeviceName name, SysfsDevice sysfs) {
    this.name = name;
    this.sysfs = sysfs;
    this.tracker = new ResourceTracker(name);
    this.dma = new PhysicalDmaSpace(name, tracker);
    boolean done = false;
    try {
      ExclusiveUse use = ExclusiveUse.of(name, sysfs.directory().resolve("enable"));
      opened.add(use);
      if (sysfs.driver().isEmpty()) {
        use.enable();
      }
      this.config = openConfig();
      this.command = new CommandRegister(config);
      Optional<Fd> uio = openUio();
      UioIrqs irqs = new UioIrqs(name, uio, command);
      this.interrupts = new VfioInterrupts(name, irqs, config);
      openBars();
      command.busMaster(false);
      if (sysfs.isResettable()) {
        resetNow();
      }
      settleCommand();
      done = true;
    } finally {
      if (!done) {
        closeOpened();
      }
    }
  }

  /**
   * Opens a device, and resets it if it can be reset.
   *
   * @throws DeviceUnavailableException saying why, and what to do
   */
  static UnprotectedDevice open(DeviceName name, SysfsDevice sysfs) {
    UnprotectedDevice device = null;
    boolean registered = false;
    try {
      device = new UnprotectedDevice(name, sysfs);
      OpenDevices.add(device);
      registered = true;
      return device;
    } catch (LinuxException e) {
      throw switch (e.errno()) {
        case EACCES, EPERM ->
            new DeviceUnavailableException(
                name,
                String.valueOf(e.getMessage()),
                "run as root; a kernel in lockdown (secure boot) refuses even root",
                e);
        default ->
            new DeviceUnavailableException(
                name, String.valueOf(e.getMessage()), "the kernel's log may say why", e);
      };
    } catch (DeviceGoneException | IllegalStateException e) {
      throw new DeviceUnavailableException(
          name, "it went away, or the JVM is shutting down", null, e);
    } finally {
      if (!registered && device != null) {
        device.close();
      }
    }
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
    return bars.stream().filter(bar -> bar.index() == index).map(bar -> (Bar) bar).findFirst();
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
      if (!sysfs.isResettable()) {
        throw new ResetUnavailableException(
            name,
            "it has no reset: the kernel knows of none",
            "a bus reset takes all devices of its bus: put it behind a root port of its own",
            null);
      }
      boolean wasBusMaster = command.isBusMaster();
      command.busMaster(false);
      try {
        resetNow();
      } catch (LinuxException e) {
        command.busMaster(wasBusMaster);
        throw switch (e.errno()) {
          case ENOTTY, EINVAL, EOPNOTSUPP ->
              new ResetUnavailableException(
                  name, "its reset can't be used: " + e.getMessage(), null, e);
          default ->
              new PciException(name, "reset: " + e.getMessage(), "the kernel's log may say why", e);
        };
      }
      interrupts.disable();
      settleCommand();
    } finally {
      lock.unlock();
    }
  }

  /** Nobody tells: see {@link SysfsBackend}. */
  @Override
  public void onDetach(DetachListener listener) {
    checkOpen("onDetach");
    listeners.add(listener);
  }

  @Override
  public boolean requestBack(Duration deadline) {
    if (listeners.isEmpty()) {
      return false;
    }
    // On a thread of its own: a listener may not return before the device is closed.
    Thread.ofPlatform()
        .daemon()
        .name("gatun detach " + name)
        .start(() -> listeners.forEach(listener -> listener.requested(deadline)));
    return true;
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
  }

  @Override
  public String toString() {
    return name.toString();
  }

  /** First the device is stopped, and only then taken what it may still be using. */
  private void closeInOrder() {
    attempt("bus master off", () -> command.busMaster(false));
    attempt("interrupts off", interrupts::close);
    if (sysfs.isResettable()) {
      attempt("reset", this::resetNow);
    }
    attempt("unmapping", tracker::closeAll);
    attempt("freeing DMA memory", () -> dma.close(isStopped()));
    closeOpened();
    OpenDevices.remove(this);
  }

  /** A step that fails, since the device is gone for instance, must not keep the others from it. */
  private void attempt(String step, Runnable action) {
    try {
      action.run();
    } catch (RuntimeException | InternalError e) {
      LOG.log(Level.WARNING, name + ": close: " + step + " failed: " + e.getMessage());
      LOG.log(Level.DEBUG, name + ": close: " + step, e);
    }
  }

  private void closeOpened() {
    for (AutoCloseable resource : opened.reversed()) {
      try {
        resource.close();
      } catch (Exception e) {
        LOG.log(Level.WARNING, name + ": close: " + e.getMessage(), e);
      }
    }
  }

  /** All ones come from a device that is no longer there, which does nothing any more. */
  private boolean isStopped() {
    try {
      return config.read16(ConfigRegisters.VENDOR_ID) == 0xffff || !command.isBusMaster();
    } catch (DeviceGoneException e) {
      LOG.log(Level.DEBUG, name + ": close: its files have gone", e);
      return true;
    }
  }

  private ConfigSpace openConfig() {
    Fd fd = open("config");
    int size =
        sysfs.config().size() > ConfigRegisters.CONVENTIONAL_SIZE
            ? ConfigRegisters.EXPRESS_SIZE
            : ConfigRegisters.CONVENTIONAL_SIZE;
    ConfigSpace space = new VfioConfigSpace(new RegionAccess(name, fd, "config space", 0), size);
    if (space.read16(ConfigRegisters.VENDOR_ID) == 0xffff) {
      throw new DeviceUnavailableException(
          name,
          "it answers all ones: it has lost power or is broken",
          "look at the kernel's log, remove and rescan it, or reboot",
          null);
    }
    return space;
  }

  /**
   * Opens what passes INTx on. Held open even by who polls: when it is closed, and at the latest
   * with the process, the kernel turns bus master off.
   *
   * @return empty also if the device has no INTx
   */
  private Optional<Fd> openUio() {
    Optional<Path> node = sysfs.uioNode();
    if (node.isEmpty()) {
      return Optional.empty();
    }
    Fd fd = Fd.open(node.get(), Access.READ_WRITE);
    opened.add(fd);
    boolean hasLine =
        config.read8(ConfigRegisters.INTERRUPT_PIN) != 0 && sysfs.interruptLine().isPresent();
    return hasLine ? Optional.of(fd) : Optional.empty();
  }

  private void openBars() {
    long page = Mapping.pageSize();
    MsixTable msix = MsixTable.find(config);
    for (SysfsDevice.Resource resource : sysfs.resources()) {
      Fd fd = open("resource" + resource.index());
      Region region =
          new Region(
              resource.index(),
              true,
              true,
              resource.size(),
              0,
              List.of(new Region.Area(0, resource.size())));
      List<Region.Area> hidden = msix.in(resource.index());
      Bar.Kind kind = resource.io() ? Bar.Kind.IO : Bar.Kind.MEMORY;
      List<Bar.Range> trapped =
          resource.io()
              ? List.of()
              : region.ranges(page, hidden).stream()
                  .filter(range -> range.access() == Bar.Access.TRAPPED)
                  .toList();
      if (trapped.isEmpty()) {
        bars.add(new VfioBar(name, fd, region, kind, resource.prefetchable(), hidden, tracker));
        continue;
      }
      MappedTrap trap = MappedTrap.map(name, fd, trapped, resource.start() % page, hidden);
      opened.add(trap);
      bars.add(new VfioBar(name, fd, region, kind, resource.prefetchable(), hidden, tracker, trap));
    }
  }

  private Fd open(String file) {
    Fd fd = Fd.open(sysfs.directory().resolve(file), Access.READ_WRITE);
    opened.add(fd);
    return fd;
  }

  /** The kernel keeps what is in config space. */
  private void resetNow() {
    try (Fd fd = Fd.open(sysfs.directory().resolve("reset"), Access.WRITE)) {
      fd.writeAt(0, 1, '1');
    }
  }

  /** Bus master off, INTx masked, and decode on for the kinds of BARs that it has. */
  private void settleCommand() {
    int decode = 0;
    for (VfioBar bar : bars) {
      decode |=
          switch (bar.kind()) {
            case MEMORY -> ConfigRegisters.COMMAND_MEMORY;
            case IO -> ConfigRegisters.COMMAND_IO;
          };
    }
    command.settle(decode);
  }

  private void checkOpen(String operation) {
    if (closed) {
      throw new DeviceGoneException(name, operation, null);
    }
  }
}
