package org.gatun.vfio.sysfs;

import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What of the running system depends on a device: the reasons not to take it from its driver.
 *
 * <p>Looks at what is below the device in the tree of devices, and at what is built upon that:
 * bonds, bridges and VLANs of a network interface; partitions, device-mapper, md and loop devices
 * of a disk. With a physical function go its virtual functions.
 *
 * <p>Mounts are looked for in all mount namespaces that this user may look into. It sees neither
 * what other network namespaces have built upon an interface of this one (a container's macvlan),
 * nor file systems that the kernel does not tell the disks of (zfs), nor disks at the other end of
 * a network.
 */
final class DeviceUse {
  private static final String ALL_ZERO_V4 = "00000000";
  private static final String ALL_ZERO_V6 = "0".repeat(32);

  /** {@code RTF_UP} and {@code RTF_REJECT} of the routing tables. */
  private static final int ROUTE_UP = 1;

  private static final int ROUTE_REJECT = 0x200;

  private final Sysfs sysfs;
  private final Path root;

  /** The device itself, and other places in the tree that stand for it. */
  private final List<Path> trees = new ArrayList<>();

  DeviceUse(Sysfs sysfs, SysfsDevice device) {
    this.sysfs = sysfs;
    this.root = sysfs.root();
    HostFiles.realPath(device.directory()).ifPresent(trees::add);
    addVirtualFunctions(device);
    addNvmeSubsystems();
  }

  /** Each use, for people: {@code it carries the default route (eth0)}. */
  List<String> find() {
    List<String> uses = new ArrayList<>();
    Set<String> interfaces = interfaces();
    for (String name : defaultRouteInterfaces()) {
      if (interfaces.contains(name)) {
        uses.add("it carries the default route (" + name + ")");
      }
    }
    if (trees.stream().anyMatch(DeviceUse::hasInterfaceElsewhere)) {
      uses.add("its network interface is in another network namespace, which may depend on it");
    }
    Map<String, Optional<String>> disks = disks();
    Map<String, String> mounts = mounts(disks);
    mounts.forEach((name, target) -> uses.add(name + " is mounted on " + target));
    for (String name : btrfsMembers()) {
      if (disks.containsKey(name) && !mounts.containsKey(name)) {
        uses.add(name + " is part of a mounted btrfs");
      }
    }
    for (String name : swaps()) {
      if (disks.containsKey(name)) {
        uses.add(name + " is used for swap");
      }
    }
    return uses;
  }

  /** They go when their physical function loses its driver. */
  private void addVirtualFunctions(SysfsDevice device) {
    for (Path entry : HostFiles.list(device.directory())) {
      if (entry.getFileName().toString().matches("virtfn[0-9]+")) {
        HostFiles.realPath(entry).ifPresent(trees::add);
      }
    }
  }

  /**
   * With native multipath the disk of an NVMe controller hangs below a virtual subsystem, which has
   * links to its controllers.
   */
  private void addNvmeSubsystems() {
    for (Path subsystem : HostFiles.list(root.resolve("sys/class/nvme-subsystem"))) {
      boolean ours =
          HostFiles.list(subsystem).stream()
              .filter(link -> link.getFileName().toString().matches("nvme[0-9]+"))
              .anyMatch(this::isBelow);
      if (ours) {
        HostFiles.realPath(subsystem).ifPresent(trees::add);
      }
    }
  }

  private boolean isBelow(Path link) {
    return HostFiles.realPath(link)
        .filter(real -> trees.stream().anyMatch(real::startsWith))
        .isPresent();
  }

  private Set<String> interfaces() {
    Path all = root.resolve("sys/class/net");
    Set<String> names = new LinkedHashSet<>();
    List<String> queue = new ArrayList<>();
    for (Path entry : HostFiles.list(all)) {
      if (isBelow(entry)) {
        queue.add(entry.getFileName().toString());
      }
    }
    while (!queue.isEmpty()) {
      String name = queue.removeLast();
      if (names.add(name)) {
        for (Path entry : HostFiles.list(all.resolve(name))) {
          String link = entry.getFileName().toString();
          if (link.startsWith("upper_")) {
            queue.add(link.substring("upper_".length()));
          }
        }
      }
    }
    return names;
  }

  /**
   * Whether there is an interface that this namespace does not see: the directory that it hangs in
   * is there for all to see, and without an interface there would be none. So it is, too, in a
   * container with a network of its own, which sees no interface of the machine's.
   */
  private static boolean hasInterfaceElsewhere(Path directory) {
    for (Path entry : HostFiles.list(directory)) {
      if (Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS)) {
        boolean found =
            entry.endsWith("net") ? HostFiles.list(entry).isEmpty() : hasInterfaceElsewhere(entry);
        if (found) {
          return true;
        }
      }
    }
    return false;
  }

  private Set<String> defaultRouteInterfaces() {
    Set<String> names = new LinkedHashSet<>();
    for (String line : HostFiles.lines(root.resolve("proc/net/route"))) {
      // Iface Destination Gateway Flags RefCnt Use Metric Mask ...
      String[] fields = HostFiles.fields(line);
      if (fields.length >= 8
          && fields[1].equals(ALL_ZERO_V4)
          && fields[7].equals(ALL_ZERO_V4)
          && isUsed(fields[3])) {
        names.add(fields[0]);
      }
    }
    for (String line : HostFiles.lines(root.resolve("proc/net/ipv6_route"))) {
      // destination length source length next-hop metric references use flags interface
      String[] fields = HostFiles.fields(line);
      if (fields.length >= 10
          && fields[0].equals(ALL_ZERO_V6)
          && fields[1].equals("00")
          && isUsed(fields[8])) {
        names.add(fields[9]);
      }
    }
    return names;
  }

  private static boolean isUsed(String flags) {
    if (!flags.matches("[0-9a-fA-F]{1,8}")) {
      return true;
    }
    int bits = Integer.parseUnsignedInt(flags, 16);
    return (bits & ROUTE_UP) != 0 && (bits & ROUTE_REJECT) == 0;
  }

  /** The block devices that the device carries, with their numbers, {@code 259:0}. */
  private Map<String, Optional<String>> disks() {
    Path all = root.resolve("sys/class/block");
    List<Path> entries = HostFiles.list(all);
    Map<String, Optional<String>> disks = new LinkedHashMap<>();
    List<String> queue = new ArrayList<>();
    for (Path entry : entries) {
      if (isBelow(entry)) {
        queue.add(entry.getFileName().toString());
      }
    }
    while (!queue.isEmpty()) {
      String name = queue.removeLast();
      Path disk = all.resolve(name);
      if (disks.containsKey(name)) {
        continue;
      }
      disks.put(name, HostFiles.text(disk.resolve("dev")));
      for (Path holder : HostFiles.list(disk.resolve("holders"))) {
        queue.add(holder.getFileName().toString());
      }
      Optional<Path> real = HostFiles.realPath(disk);
      for (Path entry : entries) {
        boolean partition =
            real.flatMap(parent -> HostFiles.realPath(entry).filter(p -> p.startsWith(parent)))
                .isPresent();
        boolean loop =
            HostFiles.text(entry.resolve("loop/backing_file"))
                .filter(file -> deviceName(file).equals(Optional.of(name)))
                .isPresent();
        if (partition || loop) {
          queue.add(entry.getFileName().toString());
        }
      }
    }
    return disks;
  }

  private Map<String, String> mounts(Map<String, Optional<String>> disks) {
    Map<String, String> mounts = new LinkedHashMap<>();
    for (MountTable table : mountTables()) {
      for (String line : table.lines) {
        // id parent major:minor root mount-point options ... - type source options
        String[] fields = line.split(" ", -1);
        int separator = List.of(fields).indexOf("-");
        if (fields.length < 5) {
          continue;
        }
        // By its name too, since btrfs shows numbers that belong to no block device.
        Optional<String> source =
            separator >= 0 && separator + 2 < fields.length
                ? deviceName(unescape(fields[separator + 2]))
                : Optional.empty();
        disks.forEach(
            (name, number) -> {
              if (number.equals(Optional.of(fields[2])) || source.equals(Optional.of(name))) {
                mounts.putIfAbsent(name, unescape(fields[4]) + table.where);
              }
            });
      }
    }
    return mounts;
  }

  /**
   * The mounts that a process sees.
   *
   * @param where that is, for people, to go behind a mount point
   */
  private record MountTable(String where, List<String> lines) {}

  private List<MountTable> mountTables() {
    List<MountTable> tables = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    // The first process and this one: their tables can be read even if their namespaces can't.
    for (String name : List.of("1", "self")) {
      Path process = root.resolve("proc").resolve(name);
      mountNamespace(process).ifPresent(seen::add);
      tables.add(new MountTable("", HostFiles.lines(process.resolve("mountinfo"))));
    }
    for (int pid : sysfs.processes()) {
      Path directory = root.resolve("proc/" + pid);
      Optional<String> namespace = mountNamespace(directory);
      if (namespace.isEmpty() || seen.contains(namespace.get())) {
        continue;
      }
      List<String> lines = HostFiles.lines(directory.resolve("mountinfo"));
      // Empty if the process has just ended: another one may tell.
      if (!lines.isEmpty()) {
        seen.add(namespace.get());
        tables.add(new MountTable(", as " + sysfs.process(pid) + " sees it", lines));
      }
    }
    return tables;
  }

  private static Optional<String> mountNamespace(Path process) {
    return HostFiles.linkName(process.resolve("ns/mnt"));
  }

  /**
   * The block devices of each btrfs that is mounted, wherever that is: its mounts name only one of
   * them.
   */
  private Set<String> btrfsMembers() {
    Set<String> names = new LinkedHashSet<>();
    for (Path fileSystem : HostFiles.list(root.resolve("sys/fs/btrfs"))) {
      for (Path device : HostFiles.list(fileSystem.resolve("devices"))) {
        names.add(device.getFileName().toString());
      }
    }
    return names;
  }

  private List<String> swaps() {
    return HostFiles.lines(root.resolve("proc/swaps")).stream()
        .map(line -> deviceName(unescape(HostFiles.fields(line)[0])))
        .flatMap(Optional::stream)
        .toList();
  }

  /** What {@code /dev/mapper/root} is to the kernel: {@code dm-0}. */
  private Optional<String> deviceName(String file) {
    if (!file.startsWith("/dev/")) {
      return Optional.empty();
    }
    Path path = root.resolve(file.substring(1));
    return Optional.of(HostFiles.realPath(path).orElse(path).getFileName().toString());
  }

  /**
   * The kernel writes blanks and backslashes as three octal digits. Tabs and line feeds stay so:
   * whoever chose the name of a mount point must not choose what a message looks like.
   */
  private static String unescape(String text) {
    return text.replace("\\040", " ").replace("\\134", "\\");
  }
}
