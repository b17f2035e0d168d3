package org.gatun.vfio;

import java.util.List;
import java.util.Optional;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciAddress;
import org.gatun.pci.PciDevice;
import org.gatun.pci.spi.FoundDevice;
import org.gatun.pci.spi.PciBackend;
import org.gatun.pci.spi.SeizedDevice;
import org.gatun.vfio.sysfs.IommuDiagnosis;
import org.gatun.vfio.sysfs.IommuGroup;
import org.gatun.vfio.sysfs.Sysfs;
import org.gatun.vfio.sysfs.SysfsDevice;

/**
 * Real devices, named {@code vfio:0000:00:04.0}: bound to vfio-pci, behind an IOMMU. Any thread.
 */
public final class VfioBackend implements PciBackend {
  /** The scheme of its names. */
  public static final String SCHEME = "vfio";

  private final Sysfs sysfs;

  /** This machine's devices. */
  public VfioBackend() {
    this(Sysfs.ofThisMachine());
  }

  VfioBackend(Sysfs sysfs) {
    this.sysfs = sysfs;
  }

  /** The name of the device at an address. */
  public static DeviceName name(PciAddress address) {
    return new DeviceName(SCHEME, address.toString());
  }

  @Override
  public String scheme() {
    return SCHEME;
  }

  @Override
  public List<FoundDevice> scan() {
    return sysfs.devices().stream().map(device -> found(name(device.address()), device)).toList();
  }

  @Override
  public DeviceName nameOf(DeviceName name) {
    return name(PciAddress.parse(name.text()));
  }

  @Override
  public Optional<FoundDevice> find(DeviceName name) {
    PciAddress address = PciAddress.parse(name.text());
    return sysfs.device(address).map(device -> found(name(address), device));
  }

  static FoundDevice found(DeviceName name, SysfsDevice device) {
    return new FoundDevice(
        name,
        Optional.of(device.address()),
        device.id(),
        device.pciClass(),
        device.driver(),
        device.iommuGroupNumber(),
        device.hazards());
  }

  @Override
  public PciDevice open(DeviceName name) {
    return openDevice(name);
  }

  @Override
  public SeizedDevice seize(DeviceName name) {
    return openDevice(name).fenced();
  }

  private VfioDevice openDevice(DeviceName name) {
    PciAddress address = PciAddress.parse(name.text());
    DeviceName canonical = name(address);
    SysfsDevice device =
        sysfs
            .device(address)
            .orElseThrow(
                () ->
                    new DeviceUnavailableException(
                        canonical,
                        "there is no such device",
                        "'gatun list' shows those there are",
                        null));
    return VfioDevice.open(canonical, device, readyGroup(canonical, device), sysfs);
  }

  /** The group of a device that can be opened, as far as sysfs tells. */
  private IommuGroup readyGroup(DeviceName name, SysfsDevice device) {
    Optional<IommuGroup> group = device.iommuGroup();
    if (group.isEmpty()) {
      IommuDiagnosis diagnosis = IommuDiagnosis.of(sysfs);
      throw new DeviceUnavailableException(name, diagnosis.problem(), diagnosis.remedy(), null);
    }
    if (device.driver().filter(IommuGroup::isVfioDriver).isEmpty()) {
      throw new DeviceUnavailableException(
          name,
          device
              .driver()
              .map(d -> "it is bound to the driver " + d)
              .orElse("it is bound to no driver"),
          "run 'gatun bind " + device.address() + "' as root",
          null);
    }
    return group.get();
  }
}
