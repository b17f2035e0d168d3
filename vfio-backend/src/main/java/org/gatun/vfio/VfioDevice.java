package org.gatun.vfio;

import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongConsumer;
import org.gatun.nativeaccess.Errno;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.pci.Bar;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.DmaSpace;
import org.gatun.pci.Interrupts;
import org.gatun.pci.PciAddress;
import org.gatun.pci.PciException;
import org.gatun.pci.ResetUnavailableException;
import org.gatun.pci.TimeSource;
import org.gatun.pci.config.BarRegister;
import org.gatun.pci.config.Capabilities;
import org.gatun.pci.config.Capability;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.spi.ResourceTracker;
import org.gatun.pci.spi.SeizedDevice;
import org.gatun.vfio.sysfs.IommuGroup;
import org.gatun.vfio.sysfs.Sysfs;
import org.gatun.vfio.sysfs.SysfsDevice;
import org.jspecify.annotations.Nullable;

/** A device that vfio-pci has, open. */
final class VfioDevice implements SeizedDevice, OpenDevice {
  private static final System.Logger LOG = System.getLogger(VfioDevice.class.getName());

  /** Message Control and Table Offset of the MSI-X capability (PCI 3.0, 6.8.2). */
  private static final int MSIX_CONTROL = 2;

  private static final int MSIX_SIZE_MASK = 0x7ff;
  private static final int MSIX_TABLE = 4;
  private static final int MSIX_BAR_MASK = 7;
  private static final int MSIX_ENTRY_SIZE = 16;

  private static final int BARS = 6;

  /** The kernel does not wait for others that are at work on the device: they are soon done. */
  private static final Duration RESET_LIMIT = Duration.ofSeconds(1);

  private static final Duration RESET_INTERVAL = Duration.ofMillis(10);

  private final DeviceName name;
  private final PciAddress address;
  private final OpenGroup group;
  private final Fd fd;
  private final boolean resettable;
  private final List<String> resetMethods;
  private final ConfigSpace config;
  private final List<VfioBar> bars;
  private final ResourceTracker tracker;
  private final VfioInterrupts interrupts;
  private final VfioDmaSpace dma;
  private final DetachWatcher watcher;

  /** Held by what changes the command register or the state of the device, and by close. */
  private final ReentrantLock lock = new ReentrantLock();

  private volatile boolean closed;

  /** Whether it answers at its BARs; guarded by lock. */
  private boolean decode = true;

  /** Why it is not proven, after closing, that nobody else has it; guarded by lock. */
  private Optional<String> unproven = Optional.empty();

  /** Takes over the group and the descriptor, but only if it succeeds. */
  private VfioDevice(
      DeviceName name, PciAddress address, OpenGroup group, Fd fd, List<String> resetMethods) {
    this.name = name;
    this.address = address;
    this.group = group;
    this.fd = fd;
    this.resetMethods = resetMethods;
    this.resettable = (flags(name, fd) & Vfio.DEVICE_FLAGS_RESET) != 0;
    Region configRegion = Region.query(fd, Vfio.PCI_CONFIG_REGION_INDEX);
    this.config =
        new VfioConfigSpace(
            new RegionAccess(name, fd, "config space", configRegion.offset()),
            (int) Math.min(configRegion.size(), ConfigRegisters.EXPRESS_SIZE));
    if (config.read16(ConfigRegisters.VENDOR_ID) == 0xffff) {
      throw new DeviceUnavailableException(
          name,
          "it answers all ones: it has lost power or is broken",
          "look at the kernel's log, remove and rescan it, or reboot",
          null);
    }
    this.tracker = new ResourceTracker(name);
    this.bars = findBars();
    // The kernel has reset it and bus master is off; but neither is the kernel's promise.
    settleCommand();
    this.interrupts = new VfioInterrupts(name, new IrqControl(fd), config);
    this.dma = new VfioDmaSpace(name, group.dma(), tracker);
    this.watcher = DetachWatcher.start(name, new IrqControl(fd));
  }

  /**
   * Opens a device. The kernel resets it, if it can be reset, when the first process opens it.
   *
   * @throws DeviceUnavailableException saying why, and what to do
   */
  static VfioDevice open(
      DeviceName name, SysfsDevice sysfsDevice, IommuGroup iommuGroup, Sysfs sysfs) {
    OpenGroup group = OpenGroup.acquire(name, iommuGroup, sysfs);
    Fd fd = null;
    VfioDevice device = null;
    boolean registered = false;
    try {
      fd = group.openDevice(sysfsDevice.address());
      device = new VfioDevice(name, sysfsDevice.address(), group, fd, sysfsDevice.resetMethods());
      OpenDevices.add(device);
      registered = true;
      return device;
    } catch (LinuxException e) {
      throw new OpenFailures(name, iommuGroup, sysfs).unexpected(e);
    } catch (DeviceGoneException | IllegalStateException e) {
      throw new DeviceUnavailableException(
          name, "it went away, or the JVM is shutting down", null, e);
    } finally {
      if (!registered) {
        if (device != null) {
          device.close();
        } else {
          if (fd != null) {
            fd.close();
          }
          group.release();
        }
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
      setBusMaster(on);
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
      int command = config.read16(ConfigRegisters.COMMAND);
      setBusMaster(false);
      try {
        resetNow();
      } catch (LinuxException e) {
        config.write16(ConfigRegisters.COMMAND, command);
        throw switch (e.errno()) {
          case ENOTTY, EINVAL, EOPNOTSUPP -> noReset(e);
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

  @Override
  public void onDetach(DetachListener listener) {
    checkOpen("onDetach");
    watcher.add(listener);
  }

  @Override
  public boolean requestBack(Duration deadline) {
    return watcher.requestBack(deadline);
  }

  @Override
  public void decode(boolean on) {
    lock.lock();
    try {
      checkOpen("decode");
      decode = on;
      try {
        if (!on) {
          // First: a thread of this process that is just using one is to learn of it at that very
          // access. A bus error arrives later, at its next safepoint, as an Error out of nowhere.
          tracker.closeMappings();
        }
      } finally {
        settleDecode();
      }
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void onError(Runnable recovery) {
    checkOpen("onError");
    watcher.recoverBy(recovery);
  }

  @Override
  public void onDmaFault(LongConsumer listener) {
    checkOpen("onDmaFault");
    KernelFaultLog.ofThisMachine().listen(address, listener);
  }

  @Override
  public Optional<String> release() {
    close();
    lock.lock();
    try {
      return unproven;
    } finally {
      lock.unlock();
    }
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
    // Not under the lock, which a listener may want: it closes the device, too.
    watcher.join();
  }

  @Override
  public String toString() {
    return name.toString();
  }

  /** First the device is stopped, and only then taken what it may still be using. */
  private void closeInOrder() {
    attempt("bus master off", () -> setBusMaster(false));
    attempt("interrupts off", interrupts::close);
    if (resettable) {
      attempt("reset", this::resetForClose);
    }
    attempt("unmapping", tracker::closeAll);
    attempt("disarming", watcher::disarm);
    attempt("closing the device", fd::close);
    attempt("closing the group", () -> unproven = group.release());
    KernelFaultLog.ofThisMachine().forget(address);
    OpenDevices.remove(this);
  }

  /** A step that fails, since the device is gone for instance, must not keep the others from it. */
  private void attempt(String step, Runnable action) {
    try {
      action.run();
    } catch (RuntimeException | InternalError e) {
      // InternalError: an access of this thread to registers that had gone, reported only now.
      LOG.log(Level.WARNING, name + ": close: " + step + " failed: " + e.getMessage());
      LOG.log(Level.DEBUG, name + ": close: " + step, e);
    }
  }

  /** The kernel resets it once more, by itself, when its descriptor is closed. */
  private void resetForClose() {
    try {
      resetNow();
    } catch (LinuxException e) {
      // Whoever unbinds it has it locked until it is closed: that is what the close is for, then.
      if (e.errno() != Errno.EAGAIN) {
        throw e;
      }
    }
  }

  private void resetNow() {
    TimeSource time = TimeSource.system();
    long deadline = time.nanoTime() + RESET_LIMIT.toNanos();
    while (true) {
      try {
        fd.ioctl(Vfio.DEVICE_RESET);
        return;
      } catch (LinuxException e) {
        if (e.errno() != Errno.EAGAIN || time.nanoTime() - deadline >= 0) {
          throw e;
        }
        time.sleep(RESET_INTERVAL);
      }
    }
  }

  private ResetUnavailableException noReset(@Nullable Exception cause) {
    return new ResetUnavailableException(
        name,
        "it has no reset that can be used; the kernel knows of "
            + (resetMethods.isEmpty() ? "none" : String.join(", ", resetMethods)),
        "a bus reset takes all devices of its bus: have them in one IOMMU group or out of use",
        cause);
  }

  private void setBusMaster(boolean on) {
    int command = config.read16(ConfigRegisters.COMMAND);
    int changed =
        on
            ? command | ConfigRegisters.COMMAND_BUS_MASTER
            : command & ~ConfigRegisters.COMMAND_BUS_MASTER;
    if (changed != command) {
      config.write16(ConfigRegisters.COMMAND, changed);
    }
  }

  /** Bus master off, and decode as its owner wants it. */
  private void settleCommand() {
    setBusMaster(false);
    settleDecode();
  }

  /** Decode on or off, for the kinds of BARs that it has. */
  private void settleDecode() {
    int command = config.read16(ConfigRegisters.COMMAND);
    for (VfioBar bar : bars) {
      int bit =
          switch (bar.kind()) {
            case MEMORY -> ConfigRegisters.COMMAND_MEMORY;
            case IO -> ConfigRegisters.COMMAND_IO;
          };
      command = decode ? command | bit : command & ~bit;
    }
    config.write16(ConfigRegisters.COMMAND, command);
  }

  private List<VfioBar> findBars() {
    Optional<Capability> msix = Capabilities.walk(config).find(Capability.MSIX);
    List<VfioBar> found = new ArrayList<>();
    for (BarRegister register : BarRegister.decode(config)) {
      Region region = Region.query(fd, register.index());
      if (region.size() == 0) {
        continue;
      }
      List<Region.Area> hidden =
          msix.flatMap(capability -> msixTable(capability, register.index()))
              .map(List::of)
              .orElse(List.of());
      found.add(
          new VfioBar(
              name,
              fd,
              region,
              register.io() ? Bar.Kind.IO : Bar.Kind.MEMORY,
              register.prefetchable(),
              hidden,
              tracker));
    }
    return List.copyOf(found);
  }

  /** Where the MSI-X table is, if it is in that BAR. */
  private Optional<Region.Area> msixTable(Capability capability, int bar) {
    if (capability.offset() > config.size() - MSIX_TABLE - Integer.BYTES) {
      return Optional.empty();
    }
    int entries = (config.read16(capability.offset() + MSIX_CONTROL) & MSIX_SIZE_MASK) + 1;
    int table = config.read32(capability.offset() + MSIX_TABLE);
    return (table & MSIX_BAR_MASK) == bar
        ? Optional.of(
            new Region.Area(
                Integer.toUnsignedLong(table & ~MSIX_BAR_MASK), (long) entries * MSIX_ENTRY_SIZE))
        : Optional.empty();
  }

  private static int flags(DeviceName name, Fd fd) {
    try (Arena arena = Arena.ofConfined()) {
      InfoStruct info = InfoStruct.query(fd, Vfio.DEVICE_GET_INFO, Vfio.DEVICE_INFO, 0, arena);
      int flags = info.getInt("flags");
      if ((flags & Vfio.DEVICE_FLAGS_PCI) == 0
          || info.getInt("num_regions") <= Vfio.PCI_CONFIG_REGION_INDEX) {
        throw new DeviceUnavailableException(
            name, "what the kernel opened is not a PCI device", null, null);
      }
      return flags;
    }
  }

  private void checkOpen(String operation) {
    if (closed) {
      throw new DeviceGoneException(name, operation, null);
    }
  }
}
