package org.gatun.vfio.sysfs;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.gatun.pci.PciAddress;

/**
 * The PCI devices of a machine, as its kernel's file systems show them. Reads only, needs no
 * privileges, and takes nothing for granted: devices come and go, and a value that makes no sense
 * counts as absent. Any thread.
 */
public final class Sysfs {
  private final Path root;

  /**
   * @param root below which {@code sys}, {@code proc} and {@code dev} are
   */
  public Sysfs(Path root) {
    this.root = root;
  }

  /** This machine's. */
  public static Sysfs ofThisMachine() {
    return new Sysfs(Path.of("/"));
  }

  /** The devices that are there, bridges too, by address. */
  public List<SysfsDevice> devices() {
    return HostFiles.list(pci().resolve("devices")).stream()
        .map(path -> PciAddress.find(path.getFileName().toString()))
        .flatMap(Optional::stream)
        .map(this::device)
        .flatMap(Optional::stream)
        .sorted(Comparator.comparing(SysfsDevice::address))
        .toList();
  }

  /** The device at an address; empty if none is there. */
  public Optional<SysfsDevice> device(PciAddress address) {
    Path directory = pci().resolve("devices").resolve(address.toString());
    // A directory that is being taken down loses its files one by one.
    return HostFiles.hex(directory.resolve("vendor"), 4).isPresent()
            && HostFiles.hex(directory.resolve("device"), 4).isPresent()
        ? Optional.of(new SysfsDevice(this, address, directory))
        : Optional.empty();
  }

  /** The IOMMU group with that number; without members if there is none. */
  public IommuGroup iommuGroup(int number) {
    Path devices = root.resolve("sys/kernel/iommu_groups/" + number + "/devices");
    return new IommuGroup(
        number,
        HostFiles.list(devices).stream()
            .map(path -> PciAddress.find(path.getFileName().toString()))
            .flatMap(Optional::stream)
            .map(this::device)
            .flatMap(Optional::stream)
            .map(d -> new IommuGroup.Member(d.address(), d.driver(), !d.isEndpoint()))
            .sorted(Comparator.comparing(IommuGroup.Member::address))
            .toList());
  }

  /** The processes that hold that file open, as far as this user may see them. */
  public List<Holder> holders(Path file) {
    String wanted = file.toString();
    return processes().stream()
        .filter(pid -> openFiles(pid).anyMatch(wanted::equals))
        .map(this::process)
        .toList();
  }

  /**
   * The processes that have one of those files open or mapped, as far as this user may see them.
   */
  List<Holder> holders(Predicate<String> wanted) {
    return processes().stream()
        .filter(pid -> Stream.concat(openFiles(pid), mappedFiles(pid)).anyMatch(wanted))
        .map(this::process)
        .toList();
  }

  private Stream<String> openFiles(int pid) {
    return HostFiles.list(root.resolve("proc/" + pid + "/fd")).stream()
        .map(HostFiles::linkTarget)
        .flatMap(Optional::stream);
  }

  /** From its memory map: address, permissions, offset, device, inode, and the file's path. */
  private Stream<String> mappedFiles(int pid) {
    return HostFiles.lines(root.resolve("proc/" + pid + "/maps")).stream()
        .filter(line -> line.contains("/"))
        .map(line -> line.substring(line.indexOf('/')))
        .distinct();
  }

  /** The ids of all processes, ascending. */
  List<Integer> processes() {
    return HostFiles.list(root.resolve("proc")).stream()
        .map(process -> process.getFileName().toString())
        .filter(name -> name.matches("[0-9]{1,9}"))
        .map(Integer::parseInt)
        .sorted()
        .toList();
  }

  /** A process by its id. */
  Holder process(int pid) {
    String name = HostFiles.text(root.resolve("proc/" + pid + "/comm")).orElse("?");
    // A process chooses its own name, which is not to choose what a message looks like.
    return new Holder(pid, name.replaceAll("\\p{Cntrl}", "?"));
  }

  /**
   * A process.
   *
   * @param name as in its {@code comm}
   */
  public record Holder(int pid, String name) {
    @Override
    public String toString() {
      return "process " + pid + " (" + name + ")";
    }
  }

  /** The device node of an IOMMU group. */
  public Path vfioNode(int group) {
    return root.resolve("dev/vfio/" + group);
  }

  /** The device node of VFIO itself. */
  public Path vfioNode() {
    return root.resolve("dev/vfio/vfio");
  }

  /** A node of {@code /dev}. */
  Path deviceNode(String name) {
    return root.resolve("dev").resolve(name);
  }

  /** Whether that group is VFIO's without an IOMMU (its no-IOMMU mode). */
  boolean isUnconfined(int group) {
    return HostFiles.text(root.resolve("sys/kernel/iommu_groups/" + group + "/name"))
        .filter("vfio-noiommu"::equals)
        .isPresent();
  }

  /** Whether VFIO was told to do without interrupt remapping. */
  boolean areUnsafeInterruptsAllowed() {
    return HostFiles.text(
            root.resolve("sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"))
        .filter("Y"::equals)
        .isPresent();
  }

  /** Whether a driver for PCI devices is loaded. */
  public boolean isDriverLoaded(String driver) {
    return Files.isDirectory(driverDirectory(driver));
  }

  Path driverDirectory(String driver) {
    return pci().resolve("drivers").resolve(driver);
  }

  Path root() {
    return root;
  }

  private Path pci() {
    return root.resolve("sys/bus/pci");
  }
}
