package org.gatun.vfio.sysfs;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.gatun.pci.PciAddress;
import org.gatun.pci.config.ConfigRegisters;
import org.gatun.pci.config.ConfigSnapshot;
import org.gatun.pci.config.ConfigSpace;
import org.gatun.pci.config.PciClass;
import org.gatun.pci.config.PciId;
import org.gatun.pci.spi.Hazard;

/**
 * A PCI function as sysfs shows it. Each call reads anew; what can't be read, because the device
 * has gone or for lack of a value that makes sense, is absent, 0 or empty. Any thread.
 */
public final class SysfsDevice {
  /** {@code IORESOURCE_IO} and so on of the kernel, which the resource file shows. */
  private static final long RESOURCE_IO = 0x100;

  private static final long RESOURCE_MEMORY = 0x200;
  private static final long RESOURCE_PREFETCH = 0x2000;
  private static final int BARS = 6;

  /** More than a config space, so that a file that claims more is not read to its end. */
  private static final int CONFIG_LIMIT = ConfigRegisters.EXPRESS_SIZE;

  /** What Linux says of an NVMe controller that it has not finished with. */
  private static final Set<String> NVME_SETTLING = Set.of("new", "connecting", "resetting");

  private final Sysfs sysfs;
  private final PciAddress address;
  private final Path directory;

  SysfsDevice(Sysfs sysfs, PciAddress address, Path directory) {
    this.sysfs = sysfs;
    this.address = address;
    this.directory = directory;
  }

  /**
   * A BAR as the kernel has assigned it.
   *
   * @param index 0 to 5
   * @param start the first bus address, as the processor sees it
   * @param size in bytes
   */
  public record Resource(int index, boolean io, boolean prefetchable, long start, long size) {}

  /** Where it is. */
  public PciAddress address() {
    return address;
  }

  /** Its ids; 0 for those that can't be read. */
  public PciId id() {
    return new PciId(
        hex("vendor", 4), hex("device", 4), hex("subsystem_vendor", 4), hex("subsystem_device", 4));
  }

  /** Its class code. */
  public PciClass pciClass() {
    return new PciClass(hex("class", 6));
  }

  /** The kernel driver that is bound to it. */
  public Optional<String> driver() {
    return HostFiles.linkName(directory.resolve("driver"));
  }

  /** Whether Linux's NVMe driver brings it up, or resets it: in the background. */
  boolean isNvmeSettling() {
    return HostFiles.list(directory.resolve("nvme")).stream()
        .map(controller -> HostFiles.text(controller.resolve("state")))
        .anyMatch(state -> state.filter(NVME_SETTLING::contains).isPresent());
  }

  /** The only driver that may bind to it, if that was restricted. */
  public Optional<String> driverOverride() {
    return HostFiles.text(directory.resolve("driver_override"))
        .filter(text -> !text.isEmpty() && !text.equals("(null)"));
  }

  /** Its IOMMU group, if an IOMMU confines it. */
  public Optional<IommuGroup> iommuGroup() {
    return iommuGroupNumber().map(sysfs::iommuGroup);
  }

  /** The number of its IOMMU group. */
  public Optional<Integer> iommuGroupNumber() {
    return HostFiles.linkName(directory.resolve("iommu_group"))
        .filter(name -> name.matches("[0-9]{1,9}"))
        .map(Integer::parseInt);
  }

  /** The NUMA node that it is near to. */
  public Optional<Integer> numaNode() {
    return HostFiles.text(directory.resolve("numa_node"))
        .filter(text -> text.matches("[0-9]{1,9}"))
        .map(Integer::parseInt);
  }

  /**
   * Whether it has an endpoint's header (type 0): what is not a bridge. False if that is unknown.
   */
  public boolean isEndpoint() {
    ConfigSpace config = config();
    return config.size() > ConfigRegisters.HEADER_TYPE
        && (config.read8(ConfigRegisters.HEADER_TYPE) & ConfigRegisters.HEADER_TYPE_MASK) == 0;
  }

  /**
   * The ways in which the kernel can reset it, the preferred one first: {@code flr}, {@code bus}.
   */
  public List<String> resetMethods() {
    return HostFiles.text(directory.resolve("reset_method"))
        .filter(text -> !text.isEmpty())
        .map(text -> List.of(HostFiles.fields(text)))
        .orElse(List.of());
  }

  /** Whether the kernel knows a way to reset it; before Linux 5.15 it does not say which. */
  public boolean isResettable() {
    return !resetMethods().isEmpty()
        || (!Files.exists(directory.resolve("reset_method"))
            && Files.exists(directory.resolve("reset")));
  }

  /** What speaks against handing it to somebody who is not trusted as the kernel is. */
  public Set<Hazard> hazards() {
    Set<Hazard> hazards = EnumSet.noneOf(Hazard.class);
    Optional<IommuGroup> group = iommuGroup();
    if (group.isEmpty() || sysfs.isUnconfined(group.get().number())) {
      hazards.add(Hazard.UNPROTECTED_DMA);
    }
    if (sysfs.areUnsafeInterruptsAllowed()) {
      hazards.add(Hazard.UNSAFE_INTERRUPTS);
    }
    if (group.stream()
        .flatMap(g -> g.members().stream())
        .anyMatch(member -> !member.bridge() && !member.address().equals(address))) {
      hazards.add(Hazard.MISSING_ACS);
    }
    if (!isResettable()) {
      hazards.add(Hazard.MISSING_RESET);
    }
    return hazards;
  }

  /** Its BARs, those that have an address. */
  public List<Resource> resources() {
    List<String> lines = HostFiles.lines(directory.resolve("resource"));
    List<Resource> resources = new ArrayList<>();
    for (int index = 0; index < Math.min(BARS, lines.size()); index++) {
      resource(index, lines.get(index)).ifPresent(resources::add);
    }
    return resources;
  }

  /**
   * A copy of its config space, made now: as much of it as the kernel lets this user read. That is
   * 64 bytes, the header, without root; 0 if the device is gone.
   */
  public ConfigSpace config() {
    try (var input = Files.newInputStream(directory.resolve("config"))) {
      return ConfigSnapshot.of(input.readNBytes(CONFIG_LIMIT));
    } catch (IOException e) {
      return ConfigSnapshot.of(new byte[0]);
    }
  }

  /** The number of its legacy interrupt; empty if it has none. */
  public Optional<Integer> interruptLine() {
    return HostFiles.text(directory.resolve("irq"))
        .filter(text -> text.matches("[1-9][0-9]{0,8}"))
        .map(Integer::parseInt);
  }

  /** The device node by which the driver uio_pci_generic, or another of UIO, passes it on. */
  public Optional<Path> uioNode() {
    return HostFiles.list(directory.resolve("uio")).stream()
        .map(entry -> entry.getFileName().toString())
        .filter(name -> name.matches("uio[0-9]{1,9}"))
        .findFirst()
        .map(sysfs::deviceNode);
  }

  /**
   * The processes that have its registers, a {@code resourceN} file, open or mapped, as far as this
   * user may see them.
   */
  public List<Sysfs.Holder> holders() {
    Optional<Path> real = HostFiles.realPath(directory);
    if (real.isEmpty()) {
      return List.of();
    }
    Pattern registers = Pattern.compile(Pattern.quote(real.get() + "/resource") + "[0-9](_wc)?");
    return sysfs.holders(file -> registers.matcher(file).matches());
  }

  /** Its directory in sysfs. */
  public Path directory() {
    return directory;
  }

  @Override
  public String toString() {
    return address + " " + id();
  }

  private int hex(String file, int digits) {
    return HostFiles.hex(directory.resolve(file), digits).orElse(0);
  }

  private static Optional<Resource> resource(int index, String line) {
    String[] fields = HostFiles.fields(line);
    if (fields.length != 3) {
      return Optional.empty();
    }
    try {
      long start = Long.decode(fields[0]);
      long end = Long.decode(fields[1]);
      long flags = Long.decode(fields[2]);
      if (end <= start || (flags & (RESOURCE_IO | RESOURCE_MEMORY)) == 0) {
        return Optional.empty();
      }
      return Optional.of(
          new Resource(
              index,
              (flags & RESOURCE_IO) != 0,
              (flags & RESOURCE_PREFETCH) != 0,
              start,
              end - start + 1));
    } catch (NumberFormatException e) {
      return Optional.empty();
    }
  }
}
