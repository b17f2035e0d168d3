package org.gatun.cli;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.gatun.pci.DeviceName;

/**
 * What a copy is from or to, on the command line: a device if it begins like one ({@code vfio:}),
 * else a file, which {@code ./} makes of any name.
 */
sealed interface CopyPlace {
  /** A disk: {@code vfio:0000:00:04.0}. */
  record Device(DeviceName name) implements CopyPlace {
    @Override
    public String toString() {
      return name.toString();
    }
  }

  /** A file: {@code disk.img}, {@code ./a:b}. */
  record File(Path path) implements CopyPlace {
    @Override
    public String toString() {
      return path.toString();
    }
  }

  /** How a device's name begins. */
  Pattern SCHEME = Pattern.compile("[a-z][a-z0-9-]*:.*");

  /**
   * Parses it.
   *
   * @throws IllegalArgumentException if it is neither
   */
  static CopyPlace parse(String text) {
    if (SCHEME.matcher(text).matches()) {
      return new Device(DeviceName.parse(text));
    }
    if (text.isEmpty()) {
      throw new IllegalArgumentException("a file or a device has a name");
    }
    try {
      return new File(Path.of(text));
    } catch (InvalidPathException e) {
      throw new IllegalArgumentException("'" + text + "' is no file name: " + e.getReason(), e);
    }
  }
}
