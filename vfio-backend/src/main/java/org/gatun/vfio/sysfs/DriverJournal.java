package org.gatun.vfio.sysfs;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import org.gatun.pci.DeviceName;
import org.gatun.pci.DeviceUnavailableException;
import org.gatun.pci.PciAddress;

/**
 * Which driver each device had before it was bound to vfio-pci: one small file for each device,
 * there as a whole or not at all, and on the disk before the driver is taken away.
 */
final class DriverJournal {
  /** Directories of drivers in sysfs: a name that leads elsewhere is not one. */
  private static final String NAME = "[^/.\\p{Cntrl}][^/\\p{Cntrl}]{0,127}";

  private static final String DRIVER = "driver=";
  private static final String OVERRIDE = "driver_override=";

  /** How the name of an entry ends that is still being written. */
  private static final String DRAFT = ".new";

  private final Path directory;

  /**
   * What to restore.
   *
   * @param driver empty if there was none
   * @param override what was in {@code driver_override}
   */
  record Entry(Optional<String> driver, Optional<String> override) {}

  DriverJournal(Path directory) {
    this.directory = directory;
  }

  /** The entry of a device. */
  Optional<Entry> read(PciAddress address) {
    Path file = file(address);
    String text;
    try {
      text = Files.readString(file, StandardCharsets.UTF_8);
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw failed(address, "read", file, e);
    }
    return Optional.of(new Entry(value(address, text, DRIVER), value(address, text, OVERRIDE)));
  }

  /** Writes an entry; when this returns, it is on the disk. */
  void write(PciAddress address, Entry entry) {
    String text =
        DRIVER + entry.driver().orElse("") + "\n" + OVERRIDE + entry.override().orElse("") + "\n";
    Path file = file(address);
    try {
      Files.createDirectories(directory);
      // Who may look at a device may know its former driver; a temporary file is for its owner.
      Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
      Path draft = Files.createTempFile(directory, address + ".", DRAFT);
      try {
        Files.setPosixFilePermissions(draft, PosixFilePermissions.fromString("rw-r--r--"));
        try (FileChannel channel = FileChannel.open(draft, StandardOpenOption.WRITE)) {
          ByteBuffer bytes = StandardCharsets.UTF_8.encode(text);
          while (bytes.hasRemaining()) {
            channel.write(bytes);
          }
          channel.force(true);
        }
        Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(draft);
      }
      // The name of a file is on the disk only once its directory is.
      try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
        channel.force(true);
      }
    } catch (IOException e) {
      throw failed(address, "write", file, e);
    }
  }

  /** Removes the entry of a device, if there is one, and what a writer that was killed has left. */
  void remove(PciAddress address) {
    Path file = file(address);
    try {
      Files.deleteIfExists(file);
      if (Files.isDirectory(directory)) {
        try (DirectoryStream<Path> drafts =
            Files.newDirectoryStream(directory, address + ".*" + DRAFT)) {
          for (Path draft : drafts) {
            Files.deleteIfExists(draft);
          }
        }
      }
    } catch (IOException e) {
      throw failed(address, "remove", file, e);
    }
  }

  private Path file(PciAddress address) {
    return directory.resolve(address.toString());
  }

  private Optional<String> value(PciAddress address, String text, String key) {
    String value =
        text.lines()
            .filter(line -> line.startsWith(key))
            .map(line -> line.substring(key.length()))
            .findFirst()
            .orElse("/");
    if (!value.isEmpty() && !value.matches(NAME)) {
      throw new DeviceUnavailableException(
          name(address),
          "the journal " + file(address) + " is damaged: no usable line '" + key + "'",
          "remove it, and the kernel chooses the driver",
          null);
    }
    return value.isEmpty() ? Optional.empty() : Optional.of(value);
  }

  private static DeviceUnavailableException failed(
      PciAddress address, String operation, Path file, IOException cause) {
    return new DeviceUnavailableException(
        name(address),
        "can't " + operation + " the journal of its former driver, " + file + ": " + cause,
        "binding needs root",
        cause);
  }

  private static DeviceName name(PciAddress address) {
    return new DeviceName("vfio", address.toString());
  }
}
