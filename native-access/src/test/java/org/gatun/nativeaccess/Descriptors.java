package org.gatun.nativeaccess;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** What this process has open and mapped, as the kernel says. */
final class Descriptors {
  private Descriptors() {}

  /** What each open descriptor refers to, sorted. */
  static List<String> all() throws IOException {
    try (Stream<Path> links = Files.list(Path.of("/proc/self/fd"))) {
      return links.map(Descriptors::target).filter(target -> !target.isEmpty()).sorted().toList();
    }
  }

  /** The open descriptors of one file. */
  static List<String> of(Path file) throws IOException {
    String path = file.toRealPath().toString();
    return all().stream().filter(path::equals).toList();
  }

  /** The lines of {@code /proc/self/maps} that contain a text. */
  static List<String> mappings(String text) throws IOException {
    return Files.readAllLines(Path.of("/proc/self/maps")).stream()
        .filter(line -> line.contains(text))
        .toList();
  }

  /** A line of {@code /proc/self/status} that is in kibibytes, in bytes. */
  static long status(String key) throws IOException {
    return Files.readAllLines(Path.of("/proc/self/status")).stream()
        .filter(line -> line.startsWith(key + ":"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
        .findFirst()
        .orElseThrow();
  }

  private static String target(Path link) {
    try {
      return Files.readSymbolicLink(link).toString();
    } catch (NoSuchFileException e) {
      // The descriptor of the listing itself, or one that another thread closed meanwhile.
      return "";
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
