package org.gatun.containertests;

import java.io.IOException;
import java.net.NetworkInterface;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** What a process can reach besides itself: all that is there is looked at, and tried. */
final class Surroundings {
  /** Of the kernel's, and looked at in no further detail. */
  private static final List<Path> KERNEL = List.of(Path.of("/proc"), Path.of("/sys"));

  private static final Path DEVICES = Path.of("/dev");

  private static final Set<String> STATUS =
      Set.of("Uid", "Gid", "Groups", "CapPrm", "CapEff", "CapBnd", "NoNewPrivs");

  private Surroundings() {}

  /** A line for each kind of thing. */
  static List<String> describe() throws IOException {
    List<String> lines = new ArrayList<>();
    lines.add(
        "interfaces "
            + NetworkInterface.networkInterfaces()
                .map(NetworkInterface::getName)
                .collect(Collectors.toCollection(TreeSet::new)));
    try (Stream<String> status = Files.lines(Path.of("/proc/self/status"))) {
      status
          .filter(line -> STATUS.contains(line.substring(0, line.indexOf(':'))))
          .map(line -> line.replaceAll("[:\\s]+", " ").strip())
          .forEach(lines::add);
    }
    lines.add("mounts " + mounts());
    Walk walk = new Walk();
    Files.walkFileTree(Path.of("/"), walk);
    lines.add("writable " + walk.writable);
    lines.add("special " + walk.special);
    return lines;
  }

  /** Where something is mounted, and whether it can be written; without the kernel's. */
  private static Set<String> mounts() throws IOException {
    try (Stream<String> mounts = Files.lines(Path.of("/proc/self/mountinfo"))) {
      return mounts
          .map(line -> line.split(" "))
          .filter(
              fields ->
                  Stream.concat(KERNEL.stream(), Stream.of(DEVICES))
                      .noneMatch(Path.of(fields[4])::startsWith))
          .map(fields -> fields[4] + " " + fields[5].substring(0, 2))
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }

  private static final class Walk extends SimpleFileVisitor<Path> {
    /** Folders in which a file could be made. */
    final Set<Path> writable = new TreeSet<>();

    /** Devices, sockets and pipes. */
    final Set<Path> special = new TreeSet<>();

    @Override
    public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) {
      if (KERNEL.contains(folder)) {
        return FileVisitResult.SKIP_SUBTREE;
      }
      try {
        Files.delete(Files.createTempFile(folder, null, null));
        writable.add(folder);
      } catch (IOException _) {
        // As it should be.
      }
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
      if (attributes.isOther()) {
        special.add(file);
      }
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult visitFileFailed(Path file, IOException e) {
      return FileVisitResult.CONTINUE; // out of reach
    }

    @Override
    public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException e) {
      return FileVisitResult.CONTINUE;
    }
  }
}
