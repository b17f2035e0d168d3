package org.gatun.vfio;

import java.util.List;
import java.util.Optional;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciAddress;
import org.gatun.pci.PciDevice;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.Hazard;
import org.gatun.pci.spi.PciBackend;
import org.gatun.pci.spi.SeizedDevice;
import org.gatun.vfio.sysfs.DriverBinding;
import org.gatun.vfio.sysfs.Sysfs;
import org.gatun.vfio.sysfs.SysfsDevice;
import org.jspecify.annotations.Nullable;

/**
 * Real devices where there is no IOMMU, named {@code sysfs:0000:00:04.0,unprotected-dma}: through
 * the files that sysfs has for them, as root. Any thread.
 *
 * <p><b>Nothing confines such a device.</b> Who drives it can let it read and write all memory of
 * the machine, by a bug or by intent, so the driver is trusted as the kernel is. Hence it is opened
 * only if its name says {@code unprotected-dma}, and not at all if there is an IOMMU: then VFIO is
 * the way.
 *
 * <p>The device is bound to uio_pci_generic, which passes its INTx on and stops its DMA when the
 * process ends, however that is; or to no driver: then there are no interrupts, and after a SIGKILL
 * its DMA goes on, to memory that the kernel has given to somebody else. DMA memory comes from huge
 * pages ({@link PhysicalDmaSpace}). Nobody tells that such a device is wanted back or has gone:
 * {@link PciDevice#onDetach} listeners hear only that the JVM shuts down, and registers of a device
 * that has gone read as all ones.
 */
public final class SysfsBackend implements PciBackend {
  /** The scheme of its names. */
  public static final String SCHEME = "sysfs";

  private static final String CONSENT = "," + Hazard.UNPROTECTED_DMA.text();

  private final Sysfs sysfs;

  /** This machine's devices. */
  public SysfsBackend() {
    this(Sysfs.ofThisMachine());
  }

  SysfsBackend(Sysfs sysfs) {
    this.sysfs = sysfs;
  }

  /** The name that opens the device at an address: whoever uses it accepts unprotected DMA. */
  public static DeviceName unprotected(PciAddress address) {
    return new DeviceName(SCHEME, address + CONSENT);
  }

  /**
   * The address in a name, with or without the consent.
   *
   * @throws IllegalArgumentException if there is none in it
   */
  public static PciAddress address(DeviceName name) {
    String text = name.text();
    return PciAddress.parse(
        text.endsWith(CONSENT) ? text.substring(0, text.length() - CONSENT.length()) : text);
  }

  @Override
  public String scheme() {
    return SCHEME;
  }

  /** Nothing: {@link VfioBackend} lists all devices, and those without an IOMMU as hazards. */
  @Override
  public List<FoundDevice> scan() {
    return List.of();
  }

  @Override
  public DeviceName nameOf(DeviceName name) {
    return unprotected(address(name));
  }

  @Override
  public Optional<FoundDevice> find(DeviceName name) {
    PciAddress address = address(name);
    return sysfs.device(address).map(device -> VfioBackend.found(unprotected(address), device));
  }

  @Override
  public PciDevice open(DeviceName name) {
    return openDevice(name);
  }

  /**
   * As {@link PciBackend#seize}. That nobody else has the device is what {@code /proc} says: no
   * process has its registers open, or mapped.
   */
  @Override
  public SeizedDevice seize(DeviceName name) {
    return openDevice(name).fenced();
  }

  private UnprotectedDevice openDevice(DeviceName name) {
    PciAddress address = address(name);
    boolean consent = name.text().endsWith(CONSENT);
    DeviceName canonical =
        consent ? unprotected(address) : new DeviceName(SCHEME, address.toString());
    SysfsDevice device =
        sysfs
            .device(address)
            .orElseThrow(
                () ->
                    unavailable(
                        canonical,
                        "there is no such device",
                        "'gatun list' shows those there are"));
    if (!device.hazards().contains(Hazard.UNPROTECTED_DMA)) {
      throw unavailable(
          canonical,
          "an IOMMU confines it, and physical addresses mean nothing to it",
          "open " + VfioBackend.name(address) + " instead");
    }
    if (!consent) {
      throw unavailable(
          canonical,
          "no IOMMU confines its DMA: its driver could read and write all memory of this machine",
          "if you trust that driver as you trust the kernel, say so: '"
              + unprotected(address)
              + "'");
    }
    if (!device.isEndpoint()) {
      throw unavailable(canonical, "it is a bridge, or its config space can't be read", null);
    }
    device
        .driver()
        .filter(driver -> !driver.equals(DriverBinding.UIO_PCI_GENERIC))
        .ifPresent(
            driver -> {
              throw unavailable(
                  canonical,
                  "it is bound to the driver " + driver,
                  "run 'gatun bind "
                      + address
                      + " --driver "
                      + DriverBinding.UIO_PCI_GENERIC
                      + "' as root");
            });
    return UnprotectedDevice.open(canonical, device);
  }

  private static DeviceUnavailableException unavailable(
      DeviceName name, String problem, @Nullable String remedy) {
    return new DeviceUnavailableException(name, problem, remedy, null);
  }
}
