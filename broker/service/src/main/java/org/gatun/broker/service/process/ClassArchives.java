package org.gatun.broker.service.process;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/**
 * The launcher's classes, as the JVMs of all guests map them (JEP 350): one archive for the first
 * stage, and one for the second, which finds its modules elsewhere. A JVM uses one only if it is of
 * the same JDK and the same jars; so these are in the names. Any thread.
 */
final class ClassArchives {
  private static final String SUFFIX = ".jsa";

  /** An archive. */
  enum Stage {
    FIRST,
    SECOND
  }

  private final Path folder;

  /** Empty if the modules are no jars: their classes can't be archived. */
  private final Optional<String> key;

  /**
   * @param folder is made; of others there are no files in it
   * @param modules of the launcher
   */
  ClassArchives(Path folder, List<Path> modules) throws IOException {
    this.folder = Files.createDirectories(folder);
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"));
    this.key = key(modules);
    removeOthers();
  }

  private static Optional<String> key(List<Path> modules) throws IOException {
    StringBuilder text = new StringBuilder(Runtime.version().toString());
    for (Path module : modules) {
      if (!Files.isRegularFile(module)) {
        return Optional.empty();
      }
      text.append(
          "\n%s %d %s".formatted(module, Files.size(module), Files.getLastModifiedTime(module)));
    }
    try {
      byte[] hash =
          MessageDigest.getInstance("SHA-256")
              .digest(text.toString().getBytes(StandardCharsets.UTF_8));
      return modules.isEmpty()
          ? Optional.empty()
          : Optional.of(HexFormat.of().formatHex(hash, 0, Long.BYTES));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("each JDK has it", e);
    }
  }

  /** Of other jars, or begun and not finished. */
  private void removeOthers() throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        if (key.isEmpty() || !file.getFileName().toString().endsWith(key.get() + SUFFIX)) {
          Files.delete(file);
        }
      }
    }
  }

  /** The archive, if it has been made. */
  Optional<Path> find(Stage stage) {
    return file(stage).filter(Files::exists);
  }

  /** Where all are. */
  Path folder() {
    return folder;
  }

  private Optional<Path> file(Stage stage) {
    return key.map(text -> folder.resolve(stage + "-" + text + SUFFIX));
  }

  /** Runs a JVM that writes an archive to a file. */
  @FunctionalInterface
  interface Rehearsal {
    void run(Path file) throws IOException;
  }

  /** Makes an archive, if it can be made and is not there yet. */
  void make(Stage stage, Rehearsal rehearsal) throws IOException {
    Optional<Path> file = file(stage);
    if (file.isPresent() && !Files.exists(file.get())) {
      Path begun = folder.resolve(stage + ".begun");
      Files.deleteIfExists(begun);
      rehearsal.run(begun);
      Files.move(begun, file.get(), StandardCopyOption.ATOMIC_MOVE);
    }
  }
}
