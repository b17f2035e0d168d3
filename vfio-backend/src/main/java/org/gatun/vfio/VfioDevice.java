package org.gatun.vfio;

import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.LongConsumer;
import org.gatun.nativeaccess.Errno;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.pci.Bar;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.ResetUnavailableException;
import org.gatun.pci.TimeSource;
import org.gatun.pci.config.BarRegister;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.spi.ResourceTracker;
import org.gatun.vfio.common.CommandRegister;
import org.gatun.vfio.common.DetachWatcher;
import org.gatun.vfio.common.InfoStruct;
import org.gatun.vfio.common.MsixTable;
import org.gatun.vfio.common.Region;
import org.gatun.vfio.common.RegionAccess;
import org.gatun.vfio.common.Vfio;
import org.gatun.vfio.common.VfioBar;
import org.gatun.vfio.common.VfioConfigSpace;
import org.gatun.vfio.common.VfioInterrupts;
import org.gatun.vfio.sysfs.IommuGroup;
import org.gatun.vfio.sysfs.Sysfs;
import org.gatun.vfio.sysfs.SysfsDevice;
import org.jspecify.annotations.Nullable;

/** A device that vfio-pci has, open. */
final class VfioDevice extends HostDevice {
  /** The kernel does not wait for others that are at work on the device: they are soon done. */
  private static final Duration RESET_LIMIT = Duration.ofSeconds(1);

  private static final Duration RESET_INTERVAL = Duration.ofMillis(10);

  private final OpenGroup group;
  private final Fd fd;
  private final boolean resettable;
  private final DetachWatcher watcher;

  /** Takes over the group and the descriptor. */
  private VfioDevice(
      DeviceName name,
      SysfsDevice sysfs,
      OpenGroup group,
      Fd fd,
      boolean resettable,
      DetachWatcher watcher,
      Parts parts) {
    super(name, sysfs, parts);
    this.group = group;
    this.fd = fd;
    this.resettable = resettable;
    this.watcher = watcher;
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
      device = open(name, sysfsDevice, group, fd);
      OpenDevices.add(device);
      registered = true;
      return device;
    } catch (LinuxException e) {
      throw new OpenFailures(name, iommuGroup, sysfs).unexpected(e);
    } catch (DeviceGoneException e) {
      throw new DeviceUnavailableException(name, "it went away", null, e);
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

  private static VfioDevice open(DeviceName name, SysfsDevice sysfs, OpenGroup group, Fd fd) {
    boolean resettable = (flags(name, fd) & Vfio.DEVICE_FLAGS_RESET) != 0;
    Region region = Region.query(fd, Vfio.PCI_CONFIG_REGION_INDEX);
    ConfigSpace config =
        new VfioConfigSpace(
            new RegionAccess(name, fd, "config space", region.offset()),
            (int) Math.min(region.size(), ConfigRegisters.EXPRESS_SIZE));
    if (config.read16(ConfigRegisters.VENDOR_ID) == 0xffff) {
      throw new DeviceUnavailableException(
          name,
          "it answers all ones: it has lost power or is broken",
          "look at the kernel's log, remove and rescan it, or reboot",
          null);
    }
    ResourceTracker tracker = new ResourceTracker(name);
    List<VfioBar> bars = findBars(name, fd, config, tracker);
    CommandRegister command = new CommandRegister(config, bars);
    // The kernel has reset it and bus master is off; but neither is the kernel's promise.
    command.settle();
    IrqControl irqs = new IrqControl(fd);
    Parts parts =
        new Parts(
            config,
            command,
            bars,
            new VfioInterrupts(name, irqs, config),
            new VfioDmaSpace(name, group.dma(), tracker),
            tracker);
    DetachWatcher watcher = DetachWatcher.start(name, irqs);
    return new VfioDevice(name, sysfs, group, fd, resettable, watcher, parts);
  }

  @Override
  public void onDetach(DetachListener listener) {
    checkOpen("onDetach");
    watcher.add(listener);
  }

  @Override
  public void onError(Runnable recovery) {
    checkOpen("onError");
    watcher.recoverBy(recovery);
  }

  @Override
  public void onDmaFault(LongConsumer listener) {
    checkOpen("onDmaFault");
    KernelFaultLog.ofThisMachine().listen(sysfs().address(), listener);
  }

  @Override
  boolean requestBack(Duration deadline) {
    return watcher.requestBack(deadline);
  }

  @Override
  boolean isResettable() {
    return resettable;
  }

  /** The kernel resets it once more, by itself, when its descriptor is closed. */
  @Override
  void resetForClose() {
    try {
      resetNow();
    } catch (LinuxException e) {
      // Whoever unbinds it has it locked until it is closed: that is what the close is for, then.
      if (e.errno() != Errno.EAGAIN) {
        throw e;
      }
    }
  }

  @Override
  void resetNow() {
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

  @Override
  ResetUnavailableException noReset(@Nullable Exception cause) {
    List<String> methods = sysfs().resetMethods();
    return new ResetUnavailableException(
        name(),
        "it has no reset that can be used; the kernel knows of "
            + (methods.isEmpty() ? "none" : String.join(", ", methods)),
        "a bus reset takes all devices of its bus: have them in one IOMMU group or out of use",
        cause);
  }

  @Override
  Optional<String> closeRest() {
    attempt("disarming", watcher::disarm);
    attempt("closing the device", fd::close);
    KernelFaultLog.ofThisMachine().forget(sysfs().address());
    return group.release();
  }

  /** Not under the lock, which a listener may want: it closes the device, too. */
  @Override
  void awaitClosed() {
    watcher.join();
  }

  private static List<VfioBar> findBars(
      DeviceName name, Fd fd, ConfigSpace config, ResourceTracker tracker) {
    MsixTable msix = MsixTable.find(config);
    List<VfioBar> found = new ArrayList<>();
    for (BarRegister register : BarRegister.decode(config)) {
      Region region = Region.query(fd, register.index());
      if (region.size() == 0) {
        continue;
      }
      found.add(
          new VfioBar(
              name,
              fd,
              region,
              register.io() ? Bar.Kind.IO : Bar.Kind.MEMORY,
              register.prefetchable(),
              msix.in(register.index()),
              tracker));
    }
    return found;
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
}
