package org.gatun.vfio;

import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.gatun.nativeaccess.Access;
import org.gatun.nativeaccess.Fd;
import org.gatun.nativeaccess.Mapping;
import org.gatun.pci.Bar;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.spi.ResourceTracker;
import org.gatun.vfio.common.MsixTable;
import org.gatun.vfio.common.Region;
import org.gatun.vfio.common.RegionAccess;
import org.gatun.vfio.common.VfioBar;
import org.gatun.vfio.common.VfioConfigSpace;
import org.gatun.vfio.sysfs.SysfsDevice;

/**
 * The files by which sysfs gives access to a device, open; closed together, in the reverse order.
 * Not for more than one thread at a time.
 */
final class SysfsFiles implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(SysfsFiles.class.getName());

  private final DeviceName name;
  private final SysfsDevice sysfs;
  private final List<AutoCloseable> opened = new ArrayList<>();

  SysfsFiles(DeviceName name, SysfsDevice sysfs) {
    this.name = name;
    this.sysfs = sysfs;
  }

  /** Takes the device, and powers it up if it has no driver that did. */
  void claim() {
    ExclusiveUse use = ExclusiveUse.of(name, sysfs.directory().resolve("enable"));
    opened.add(use);
    if (sysfs.driver().isEmpty()) {
      use.enable();
    }
  }

  /**
   * @throws DeviceUnavailableException if the device does not answer
   */
  ConfigSpace config() {
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
   * What passes INTx on. Held open even by who polls: when it is closed, and at the latest with the
   * process, the kernel turns bus master off.
   *
   * @return empty also if the device has no INTx
   */
  Optional<Fd> uio(ConfigSpace config) {
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

  List<VfioBar> bars(ConfigSpace config, ResourceTracker tracker) {
    MsixTable msix = MsixTable.find(config);
    return sysfs.resources().stream()
        .map(resource -> bar(resource, msix.in(resource.index()), tracker))
        .toList();
  }

  private VfioBar bar(
      SysfsDevice.Resource resource, List<Region.Area> hidden, ResourceTracker tracker) {
    long page = Mapping.pageSize();
    Fd fd = open("resource" + resource.index());
    Region region =
        new Region(
            resource.index(),
            true,
            true,
            resource.size(),
            0,
            List.of(new Region.Area(0, resource.size())));
    Bar.Kind kind = resource.io() ? Bar.Kind.IO : Bar.Kind.MEMORY;
    List<Bar.Range> trapped =
        resource.io()
            ? List.of()
            : region.ranges(page, hidden).stream()
                .filter(range -> range.access() == Bar.Access.TRAPPED)
                .toList();
    if (trapped.isEmpty()) {
      return new VfioBar(name, fd, region, kind, resource.prefetchable(), hidden, tracker);
    }
    MappedTrap trap = MappedTrap.map(name, fd, trapped, resource.start() % page, hidden);
    opened.add(trap);
    return new VfioBar(name, fd, region, kind, resource.prefetchable(), hidden, tracker, trap);
  }

  @Override
  public void close() {
    for (AutoCloseable resource : opened.reversed()) {
      try {
        resource.close();
      } catch (Exception e) {
        LOG.log(Level.WARNING, name + ": close: " + e.getMessage(), e);
      }
    }
    opened.clear();
  }

  private Fd open(String file) {
    Fd fd = Fd.open(sysfs.directory().resolve(file), Access.READ_WRITE);
    opened.add(fd);
    return fd;
  }
}
