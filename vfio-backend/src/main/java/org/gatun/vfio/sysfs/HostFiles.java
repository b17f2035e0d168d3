package org.gatun.vfio.sysfs;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Reads files that may vanish at any moment, as devices and processes do: what can't be read is
 * taken as not there.
 */
final class HostFiles {
  private static final Pattern BLANKS = Pattern.compile("\\s+");

  private HostFiles() {}

  /** The text of a small file, trimmed. ISO 8859-1, since any bytes may be in there. */
  static Optional<String> text(Path file) {
    try {
      return Optional.of(Files.readString(file, StandardCharsets.ISO_8859_1).strip());
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  static List<String> lines(Path file) {
    return text(file).map(text -> text.lines().toList()).orElse(List.of());
  }

  /** What blanks separate in a line. */
  static String[] fields(String line) {
    return BLANKS.split(line.strip(), -1);
  }

  /** Where a link points. */
  static Optional<String> linkTarget(Path link) {
    try {
      return Optional.of(Files.readSymbolicLink(link).toString());
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /** The last part of where a link points. */
  static Optional<String> linkName(Path link) {
    return linkTarget(link).map(target -> Path.of(target).getFileName().toString());
  }

  static Optional<Path> realPath(Path path) {
    try {
      return Optional.of(path.toRealPath());
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /** What a directory holds, by name. */
  static List<Path> list(Path directory) {
    List<Path> entries = new ArrayList<>();
    try (DirectoryStream<Path> stream = Files.newDirectoryStream(directory)) {
      stream.forEach(entries::add);
    } catch (IOException | DirectoryIteratorException e) {
      // What was seen so far still counts.
    }
    entries.sort(null);
    return entries;
  }

  /** A hexadecimal number with or without 0x, of at most that many digits. */
  static Optional<Integer> hex(Path file, int digits) {
    return text(file)
        .map(text -> text.startsWith("0x") ? text.substring(2) : text)
        .filter(text -> text.matches("[0-9a-fA-F]{1," + digits + "}"))
        .map(text -> Integer.parseInt(text, 16));
  }
}
