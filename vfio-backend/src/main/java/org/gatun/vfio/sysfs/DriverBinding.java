package org.gatun.vfio.sysfs;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciAddress;
import org.gatun.pci.TimeSource;
import org.jspecify.annotations.Nullable;

/**
 * Takes a device from its kernel driver and gives it to vfio-pci, or to uio_pci_generic, and back.
 *
 * <p>The former driver is written to a journal on disk before anything changes, and removed from it
 * when that driver is back. Whatever step a process dies after, {@link #bind} or {@link #restore}
 * takes it from there. Needs root. Any thread; two for one device at a time make no sense, but no
 * harm either.
 */
public final class DriverBinding {
  /** What a device is bound to. */
  public static final String VFIO_PCI = "vfio-pci";

  /** What a device is bound to that no IOMMU confines. */
  public static final String UIO_PCI_GENERIC = "uio_pci_generic";

  private static final Path DEFAULT_JOURNAL = Path.of("/run/gatun/drivers");

  /** Binding is done when the write returns; drivers that probe in the background take longer. */
  private static final Duration BIND_LIMIT = Duration.ofSeconds(10);

  /** How long a process that is about to let go of a device may take. */
  private static final Duration RELEASE_LIMIT = Duration.ofSeconds(1);

  private static final Duration BIND_INTERVAL = Duration.ofMillis(10);

  private final Sysfs sysfs;
  private final DriverJournal journal;
  private final KernelControl kernel;
  private final TimeSource time;

  /**
   * On this machine, with the journal in {@code /run}: what is bound does not outlast a reboot, and
   * neither does the journal.
   */
  public DriverBinding() {
    this(
        Sysfs.ofThisMachine(),
        new DriverJournal(DEFAULT_JOURNAL),
        new RunningKernel(),
        TimeSource.system());
  }

  DriverBinding(Sysfs sysfs, DriverJournal journal, KernelControl kernel, TimeSource time) {
    this.sysfs = sysfs;
    this.journal = journal;
    this.kernel = kernel;
    this.time = time;
  }

  /** Binds a device to vfio-pci: {@link #bind(PciAddress, String)}. */
  public Optional<String> bind(PciAddress address) {
    return bind(address, VFIO_PCI);
  }

  /**
   * Binds a device to {@link #VFIO_PCI}, or to {@link #UIO_PCI_GENERIC}, which protects nobody from
   * its DMA. Does nothing if it is bound to that already.
   *
   * <p>The system depends on a device that carries the default route, a mounted file system or the
   * swap; and on one whose network interface is in another network namespace, since nothing here
   * tells what it carries there. To take that one, move the interface back, or end what has it.
   *
   * @return the driver that it had, which {@link #restore} brings back; empty if it had none
   * @throws DeviceUnavailableException if there is no such device, if it is a bridge, if it is to
   *     be vfio-pci's and no IOMMU confines it, if the system depends on it (then nothing has
   *     changed), or if the kernel refuses
   * @throws IllegalArgumentException if the target is another driver
   */
  public Optional<String> bind(PciAddress address, String target) {
    if (!target.equals(VFIO_PCI) && !target.equals(UIO_PCI_GENERIC)) {
      throw new IllegalArgumentException(
          "a device is bound to " + VFIO_PCI + " or " + UIO_PCI_GENERIC + ", not to " + target);
    }
    SysfsDevice device = device(address);
    Optional<String> driver = device.driver();
    if (driver.filter(name -> serves(name, target)).isPresent()) {
      Optional<DriverJournal.Entry> former = journal.read(address);
      if (former.isPresent() && !isOverridden(device)) {
        // A restore was killed half way: without the override, a probe could take the device.
        write(address, device.directory().resolve("driver_override"), target);
      }
      return former.flatMap(DriverJournal.Entry::driver);
    }
    if (!device.isEndpoint()) {
      throw unavailable(address, "it is a bridge, or its config space can't be read", null, null);
    }
    if (target.equals(VFIO_PCI) && device.iommuGroupNumber().isEmpty()) {
      IommuDiagnosis diagnosis = IommuDiagnosis.of(sysfs);
      throw unavailable(address, diagnosis.problem(), diagnosis.remedy(), null);
    }
    List<String> uses = new DeviceUse(sysfs, device).find();
    if (!uses.isEmpty()) {
      throw unavailable(
          address,
          "it is not taken from its driver, since " + String.join(", and ", uses),
          "end that use first",
          null);
    }
    if (driver.filter(DriverBinding::isOurs).isPresent()) {
      refuseIfHeld(address, device);
    }
    load(address, target);
    DriverJournal.Entry former = recordFormer(address, device, driver);
    try {
      write(address, device.directory().resolve("driver_override"), target);
      // Linux's NVMe driver, unbound in the middle of a reset, lets go of the device some time
      // later:
      // of whoever's it is then. One that is settled does not.
      time.await(() -> !device.isNvmeSettling(), BIND_LIMIT, BIND_INTERVAL);
      driver.ifPresent(name -> unbindFrom(address, name));
      bindTo(address, device, target);
    } catch (DeviceUnavailableException e) {
      giveBack(address, e);
      throw e;
    }
    return former.driver();
  }

  /** After a bind that failed half way: a device without a driver helps nobody. */
  private void giveBack(PciAddress address, DeviceUnavailableException failure) {
    try {
      restore(address);
    } catch (DeviceUnavailableException e) {
      failure.addSuppressed(e);
    }
  }

  /**
   * Gives a device back to the driver that it had before {@link #bind}. Where nothing is in the
   * journal, because somebody else bound it, the kernel chooses the driver. Does nothing if it is
   * not bound to one of ours and nothing is in the journal.
   *
   * @return the driver that it has now; empty if none
   * @throws DeviceUnavailableException if there is no such device, if a process still uses it, or
   *     if the kernel refuses
   */
  public Optional<String> restore(PciAddress address) {
    SysfsDevice device = device(address);
    Optional<String> driver = device.driver();
    Optional<DriverJournal.Entry> former = journal.read(address);
    boolean bound = driver.filter(DriverBinding::isOurs).isPresent();
    if (!bound && former.isEmpty()) {
      return driver;
    }
    if (bound) {
      refuseIfHeld(address, device);
    }
    if (bound || driver.isEmpty() || isOverridden(device)) {
      String override = former.flatMap(DriverJournal.Entry::override).orElse("\n");
      write(address, device.directory().resolve("driver_override"), override);
    }
    if (bound || driver.isEmpty()) {
      driver.ifPresent(name -> unbindFrom(address, name));
      if (former.isEmpty()) {
        write(address, sysfs.root().resolve("sys/bus/pci/drivers_probe"), address.toString());
      } else if (former.get().driver().isPresent()) {
        String name = former.get().driver().get();
        load(address, name);
        bindTo(address, device, name);
      }
    }
    journal.remove(address);
    return device.driver();
  }

  /** The driver that {@link #restore} brings back, as far as the journal knows one. */
  public Optional<String> formerDriver(PciAddress address) {
    return journal.read(address).flatMap(DriverJournal.Entry::driver);
  }

  private SysfsDevice device(PciAddress address) {
    return sysfs
        .device(address)
        .orElseThrow(
            () ->
                unavailable(
                    address,
                    "there is no such device",
                    "'gatun list' shows those there are",
                    null));
  }

  /** Whether that is what devices are bound to for us. */
  private static boolean isOurs(String driver) {
    return IommuGroup.isVfioDriver(driver) || driver.equals(UIO_PCI_GENERIC);
  }

  /** Whether a driver does what the target does: vfio-pci has variants. */
  private static boolean serves(String driver, String target) {
    return target.equals(VFIO_PCI) ? IommuGroup.isVfioDriver(driver) : driver.equals(target);
  }

  /** Whether the next driver to be is ours: so it is, too, after a bind that was killed. */
  private static boolean isOverridden(SysfsDevice device) {
    return device.driverOverride().filter(DriverBinding::isOurs).isPresent();
  }

  /**
   * Notes what the device has now. Without a driver, or with our override, an earlier bind was
   * killed half way: then what it noted stands.
   */
  private DriverJournal.Entry recordFormer(
      PciAddress address, SysfsDevice device, Optional<String> driver) {
    if (driver.isEmpty() || isOverridden(device)) {
      Optional<DriverJournal.Entry> earlier = journal.read(address);
      if (earlier.isPresent()) {
        return earlier.get();
      }
    }
    DriverJournal.Entry entry =
        new DriverJournal.Entry(driver, device.driverOverride().filter(name -> !isOurs(name)));
    journal.write(address, entry);
    return entry;
  }

  private void refuseIfHeld(PciAddress address, SysfsDevice device) {
    // The kernel would wait for the holder, and the write would hang. One that was just killed, or
    // that inherited the descriptor and has not executed its program yet, is soon none any more.
    if (!time.await(() -> holders(device).isEmpty(), RELEASE_LIMIT, BIND_INTERVAL)) {
      List<Sysfs.Holder> holders = holders(device);
      throw unavailable(
          address,
          "it is still in use by "
              + holders.stream().map(Sysfs.Holder::toString).collect(Collectors.joining(", ")),
          "end that first",
          null);
    }
  }

  private List<Sysfs.Holder> holders(SysfsDevice device) {
    return device
        .uioNode()
        .or(() -> device.iommuGroupNumber().map(sysfs::vfioNode))
        .map(sysfs::holders)
        .orElse(List.of());
  }

  private void load(PciAddress address, String driver) {
    if (sysfs.isDriverLoaded(driver)) {
      return;
    }
    try {
      // A driver's name need not be its module's, but modprobe knows no better.
      kernel.loadModule(driver);
    } catch (IOException e) {
      throw unavailable(
          address,
          "the driver "
              + driver
              + " is not loaded, and 'modprobe "
              + driver
              + "' failed: "
              + e.getMessage(),
          "run it as root, and have the module installed",
          e);
    }
    if (!sysfs.isDriverLoaded(driver)) {
      throw unavailable(
          address,
          "after 'modprobe " + driver + "' there is still no driver " + driver,
          null,
          null);
    }
  }

  private void unbindFrom(PciAddress address, String driver) {
    write(address, sysfs.driverDirectory(driver).resolve("unbind"), address.toString());
  }

  private void bindTo(PciAddress address, SysfsDevice device, String driver) {
    try {
      kernel.write(sysfs.driverDirectory(driver).resolve("bind"), address.toString());
    } catch (IOException e) {
      // With an override set, udev or another process may have been faster: then all is well.
      if (!device.driver().equals(Optional.of(driver))) {
        throw refused(address, "bind it to " + driver, e);
      }
    }
    if (!time.await(() -> device.driver().equals(Optional.of(driver)), BIND_LIMIT, BIND_INTERVAL)) {
      throw unavailable(
          address,
          "the driver %s did not take it within %d s".formatted(driver, BIND_LIMIT.toSeconds()),
          "the kernel's log may say why",
          null);
    }
  }

  private void write(PciAddress address, Path file, String text) {
    try {
      kernel.write(file, text);
    } catch (IOException e) {
      throw refused(address, "write '" + text.strip() + "' to " + file, e);
    }
  }

  private static DeviceUnavailableException refused(
      PciAddress address, String operation, IOException cause) {
    return unavailable(
        address,
        "can't " + operation + ": " + cause.getMessage(),
        cause instanceof AccessDeniedException
            ? "run this as root"
            : "the kernel's log may say why",
        cause);
  }

  private static DeviceUnavailableException unavailable(
      PciAddress address, String problem, @Nullable String remedy, @Nullable Exception cause) {
    return new DeviceUnavailableException(
        new DeviceName("vfio", address.toString()), problem, remedy, cause);
  }
}
