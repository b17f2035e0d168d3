package org.gatun.vfio;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.LongConsumer;
import org.gatun.nativeaccess.Access;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.pci.DetachListener;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.ResetUnavailableException;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.spi.ResourceTracker;
import org.gatun.vfio.common.CommandRegister;
import org.gatun.vfio.common.VfioBar;
import org.gatun.vfio.common.VfioInterrupts;
import org.gatun.vfio.sysfs.Sysfs;
import org.gatun.vfio.sysfs.SysfsDevice;
import org.jspecify.annotations.Nullable;

/** A device that no IOMMU confines, open through its files in sysfs. */
final class UnprotectedDevice extends HostDevice {
  private static final System.Logger LOG = System.getLogger(UnprotectedDevice.class.getName());

  private final SysfsFiles files;
  private final PhysicalDmaSpace dma;
  private final ConfigSpace config;
  private final CommandRegister command;
  private final List<DetachListener> listeners = new CopyOnWriteArrayList<>();

  private UnprotectedDevice(
      DeviceName name, SysfsDevice sysfs, SysfsFiles files, PhysicalDmaSpace dma, Parts parts) {
    super(name, sysfs, parts);
    this.files = files;
    this.dma = dma;
    this.config = parts.config();
    this.command = parts.command();
  }

  /**
   * Opens a device, and resets it if it can be reset.
   *
   * @throws DeviceUnavailableException saying why, and what to do
   */
  static UnprotectedDevice open(DeviceName name, SysfsDevice sysfs) {
    SysfsFiles files = new SysfsFiles(name, sysfs);
    UnprotectedDevice device = null;
    boolean done = false;
    try {
      device = open(name, sysfs, files);
      device.stop();
      OpenDevices.add(device);
      done = true;
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
    } catch (DeviceGoneException e) {
      throw new DeviceUnavailableException(name, "it went away", null, e);
    } finally {
      if (!done) {
        if (device != null) {
          device.close();
        } else {
          files.close();
        }
      }
    }
  }

  private static UnprotectedDevice open(DeviceName name, SysfsDevice sysfs, SysfsFiles files) {
    files.claim();
    ResourceTracker tracker = new ResourceTracker(name);
    PhysicalDmaSpace dma = new PhysicalDmaSpace(name, tracker);
    ConfigSpace config = files.config();
    Optional<Fd> uio = files.uio(config);
    List<VfioBar> bars = files.bars(config, tracker);
    CommandRegister command = new CommandRegister(config, bars);
    VfioInterrupts interrupts = new VfioInterrupts(name, new UioIrqs(name, uio, command), config);
    return new UnprotectedDevice(
        name, sysfs, files, dma, new Parts(config, command, bars, interrupts, dma, tracker));
  }

  /** What the last user left running ends here. */
  private void stop() {
    command.busMaster(false);
    if (isResettable()) {
      resetNow();
    }
    command.settle();
    command.maskIntx(true);
  }

  /** Nobody tells: see {@link SysfsBackend}. */
  @Override
  public void onDetach(DetachListener listener) {
    checkOpen("onDetach");
    listeners.add(listener);
  }

  /** Nobody tells. */
  @Override
  public void onError(Runnable recovery) {
    checkOpen("onError");
  }

  /** There are none: no access is refused. */
  @Override
  public void onDmaFault(LongConsumer listener) {
    checkOpen("onDmaFault");
  }

  @Override
  boolean requestBack(Duration deadline) {
    if (listeners.isEmpty()) {
      return false;
    }
    // On a thread of its own: a listener may not return before the device is closed.
    Thread.ofPlatform()
        .daemon()
        .name("gatun detach " + name())
        .start(() -> listeners.forEach(listener -> listener.requested(deadline)));
    return true;
  }

  @Override
  boolean isResettable() {
    return sysfs().isResettable();
  }

  /** The kernel keeps what is in config space. */
  @Override
  void resetNow() {
    try (Fd fd = Fd.open(sysfs().directory().resolve("reset"), Access.WRITE)) {
      fd.writeAt(0, 1, '1');
    }
  }

  @Override
  ResetUnavailableException noReset(@Nullable Exception cause) {
    return new ResetUnavailableException(
        name(),
        cause == null
            ? "it has no reset: the kernel knows of none"
            : "its reset can't be used: " + cause.getMessage(),
        "a bus reset takes all devices of its bus: put it behind a root port of its own",
        cause);
  }

  /** The memory before the files: the last of them to be closed is the claim to the device. */
  @Override
  Optional<String> closeRest() {
    attempt("freeing DMA memory", () -> dma.close(isStopped()));
    files.close();
    List<Sysfs.Holder> holders = sysfs().holders();
    return holders.isEmpty()
        ? Optional.empty()
        : Optional.of("its registers are open or mapped in " + holders);
  }

  /** All ones come from a device that is no longer there, which does nothing any more. */
  private boolean isStopped() {
    try {
      return config.read16(ConfigRegisters.VENDOR_ID) == 0xffff || !command.isBusMaster();
    } catch (DeviceGoneException e) {
      LOG.log(Level.DEBUG, name() + ": close: its files have gone", e);
      return true;
    }
  }
}
