package org.gatun.vfio.sysfs;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.gatun.pci.PciAddress;

/**
 * A machine made of files: sysfs as the kernel lays it out, and a kernel that does on a write what
 * the real one does.
 */
public final class FakeMachine implements KernelControl {
  /** Stands for SIGKILL. */
  static final class KilledError extends Error {
    private static final long serialVersionUID = 1L;
  }

  private final Path root;

  /** Each change to the kernel, in order. */
  final List<String> calls = new ArrayList<>();

  /** Modules that modprobe finds. */
  final Set<String> installedModules = new HashSet<>(Set.of("vfio-pci", "nvme"));

  boolean asRoot = true;

  /** After how many changes the process dies; negative for never. */
  int killAfter = -1;

  public FakeMachine(Path root) {
    this.root = root;
    directory("sys/bus/pci/devices");
    directory("sys/bus/pci/drivers");
    directory("sys/kernel/iommu_groups");
    directory("dev/vfio");
    file("proc/cmdline", "quiet");
    file("proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
  }

  public Sysfs sysfs() {
    return new Sysfs(root);
  }

  /** A device with the given driver ("" for none) in the given group (negative for none). */
  public FakeMachine device(String address, String driver, int group) {
    Path real = real(address);
    directory(real.toString());
    file(real + "/vendor", "0x1b36\n");
    file(real + "/device", "0x0010\n");
    file(real + "/subsystem_vendor", "0x1af4\n");
    file(real + "/subsystem_device", "0x1100\n");
    file(real + "/class", "0x010802\n");
    file(real + "/numa_node", "-1\n");
    file(real + "/reset_method", "flr\n");
    file(real + "/driver_override", "(null)\n");
    file(
        real + "/resource",
        """
        0x00000000febf0000 0x00000000febf3fff 0x0000000000140204
        0x0000000000000000 0x0000000000000000 0x0000000000000000
        """);
    config(address, 0);
    link("sys/bus/pci/devices/" + address, real);
    if (!driver.isEmpty()) {
      driver(driver);
      link(real + "/driver", Path.of("sys/bus/pci/drivers/" + driver));
    }
    if (group >= 0) {
      link("sys/kernel/iommu_groups/" + group + "/devices/" + address, real);
      link(real + "/iommu_group", Path.of("sys/kernel/iommu_groups/" + group));
    }
    return this;
  }

  FakeMachine config(String address, int headerType) {
    ByteBuffer config = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
    config.putShort(0, (short) 0x1b36).putShort(2, (short) 0x0010).put(0xe, (byte) headerType);
    try {
      Files.write(root.resolve(real(address)).resolve("config"), config.array());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return this;
  }

  FakeMachine driver(String name) {
    directory("sys/bus/pci/drivers/" + name);
    return this;
  }

  public FakeMachine file(String path, String text) {
    try {
      Path file = root.resolve(path);
      Files.createDirectories(file.getParent());
      Files.writeString(file, text);
      return this;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  FakeMachine directory(String path) {
    try {
      Files.createDirectories(root.resolve(path));
      return this;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A link to another place in the machine. */
  FakeMachine link(String path, Path target) {
    try {
      Path link = root.resolve(path);
      Files.createDirectories(link.getParent());
      Files.deleteIfExists(link);
      Files.createSymbolicLink(link, root.resolve(target));
      return this;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A network interface of a device. */
  FakeMachine networkInterface(String address, String name) {
    Path real = real(address).resolve("net/" + name);
    directory(real.toString());
    return link("sys/class/net/" + name, real);
  }

  /** A disk of a device; {@code below} is where it hangs, "" for the device itself. */
  FakeMachine disk(String below, String name, String number) {
    Path real = Path.of(below).resolve("block/" + name);
    file(real + "/dev", number + "\n");
    directory(real + "/holders");
    return link("sys/class/block/" + name, real);
  }

  FakeMachine partition(String disk, String name, String number) {
    String real = root.relativize(realPath("sys/class/block/" + disk)) + "/" + name;
    file(real + "/dev", number + "\n");
    directory(real + "/holders");
    return link("sys/class/block/" + name, Path.of(real));
  }

  FakeMachine mounted(String number, String source, String target) {
    return mounted("self", number, source, target);
  }

  /** As a process sees it. */
  FakeMachine mounted(String process, String number, String source, String target) {
    return file(
        "proc/" + process + "/mountinfo",
        "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
            + "25 1 "
            + number
            + " / "
            + target
            + " rw shared:1 - ext4 "
            + source
            + " rw\n");
  }

  public FakeMachine process(int pid, String name, String openFile) {
    file("proc/" + pid + "/comm", name + "\n");
    return link("proc/" + pid + "/fd/5", Path.of(openFile));
  }

  FakeMachine mountNamespace(String process, int number) {
    return link("proc/" + process + "/ns/mnt", Path.of("mnt:[" + number + "]"));
  }

  void endProcess(int pid) {
    try {
      Files.deleteIfExists(root.resolve("proc/" + pid + "/fd/5"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  Path real(String address) {
    return Path.of("sys/devices/pci0000:00/" + address);
  }

  Optional<String> driverOf(String address) {
    return sysfs().device(PciAddress.parse(address)).orElseThrow().driver();
  }

  @Override
  public void write(Path file, String text) throws IOException {
    before("write " + text.strip() + " > " + root.relativize(file));
    if (!asRoot) {
      throw new AccessDeniedException(file.toString());
    }
    String name = file.getFileName().toString();
    switch (name) {
      case "driver_override" -> Files.writeString(file, text);
      case "bind" -> {
        Path device = existing(text);
        String driver = file.getName(file.getNameCount() - 2).toString();
        String override = Files.readString(device.resolve("driver_override")).strip();
        boolean restricted = !override.isEmpty() && !override.equals("(null)");
        // vfio-pci has no ids of its own: it matches only what is overridden to it.
        if (restricted ? !override.equals(driver) : driver.equals("vfio-pci")) {
          throw new IOException("No such device");
        }
        if (Files.exists(device.resolve("driver"))) {
          throw new IOException("Device or resource busy");
        }
        Files.createSymbolicLink(device.resolve("driver"), file.resolveSibling(""));
      }
      case "unbind" -> {
        Path driver = existing(text).resolve("driver");
        if (!Files.isSymbolicLink(driver)
            || !Files.isSameFile(Files.readSymbolicLink(driver), file.resolveSibling(""))) {
          throw new IOException("No such device");
        }
        Files.delete(driver);
      }
      case "drivers_probe" -> {
        Path device = existing(text);
        Path chosen = root.resolve("sys/bus/pci/drivers/nvme");
        if (!Files.exists(device.resolve("driver")) && Files.exists(chosen)) {
          Files.createSymbolicLink(device.resolve("driver"), chosen);
        }
      }
      default -> throw new IOException("No such file: " + file);
    }
    after();
  }

  @Override
  public void loadModule(String module) throws IOException {
    before("modprobe " + module);
    if (!installedModules.contains(module)) {
      throw new IOException("modprobe: FATAL: Module " + module + " not found.");
    }
    driver(module);
    after();
  }

  private Path existing(String address) throws IOException {
    Path device = root.resolve(real(address));
    if (!Files.exists(device)) {
      throw new IOException("No such device");
    }
    return device;
  }

  private Path realPath(String path) {
    try {
      return root.toRealPath().equals(root)
          ? root.resolve(path).toRealPath()
          : root.resolve(root.toRealPath().relativize(root.resolve(path).toRealPath()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void before(String call) {
    if (killAfter == 0) {
      throw new KilledError();
    }
    calls.add(call);
  }

  private void after() {
    killAfter--;
  }
}
