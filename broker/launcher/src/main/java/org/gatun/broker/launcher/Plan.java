package org.gatun.broker.launcher;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * What stage 1 is told: how to confine the process.
 *
 * @param broker the process that is to be its parent
 * @param locks that were asked for
 * @param user uid and gid that it gets
 * @param emptyFolder where its root is put together
 * @param root what its root shows besides JDK, launcher and guest; empty for the libraries of this
 *     system
 * @param jdk the JDK's home
 * @param jdkLinks absolute paths elsewhere to which links in it lead; of a given root, its own
 *     count
 * @param launcherPath the modules of stage 2
 * @param modulePath the modules of the guest, jars and folders
 * @param jvmOptions for stage 2
 * @param archive of the classes of the launcher, for a root of its own; empty if there is none
 * @param limits of the process
 */
public record Plan(
    long broker,
    Set<Lock> locks,
    int user,
    Path emptyFolder,
    Optional<Path> root,
    Path jdk,
    List<Path> jdkLinks,
    List<Path> launcherPath,
    List<Path> modulePath,
    List<String> jvmOptions,
    Optional<Archive> archive,
    Limits limits) {
  private static final long UNLIMITED = -1;

  /** Where all that is ours is, in a root of its own. */
  private static final Path OURS = Path.of("/gatun");

  /**
   * Limits of the process.
   *
   * @param threads of its user: the JVM's own, too
   * @param descriptors open at a time
   * @param memory of its own that it may write to, in bytes; empty if a control group limits it
   */
  public record Limits(int threads, int descriptors, OptionalLong memory) {
    /** Enough descriptors for a driver with a queue and a vector for each of some processors. */
    public static final int DESCRIPTORS = 512;
  }

  /**
   * Classes as a JVM maps them.
   *
   * @param folder of its own, in which it is
   * @param name of the file
   * @param rehearsal whether it is to be made: then there is no guest
   */
  public record Archive(Path folder, String name, boolean rehearsal) {
    /** Where the guest's process finds the folder. */
    static final Path FOLDER_INSIDE = OURS.resolve("archive");

    /** The file. */
    Path file() {
      return folder.resolve(name);
    }

    /** Where the guest's process finds the file. */
    Path inside() {
      return FOLDER_INSIDE.resolve(name);
    }
  }

  /** Copies the collections. */
  public Plan {
    locks = Set.copyOf(locks);
    jdkLinks = List.copyOf(jdkLinks);
    launcherPath = List.copyOf(launcherPath);
    modulePath = List.copyOf(modulePath);
    jvmOptions = List.copyOf(jvmOptions);
  }

  /** The same for a process of that user. */
  public Plan as(int uid) {
    return new Plan(
        broker,
        locks,
        uid,
        emptyFolder,
        root,
        jdk,
        jdkLinks,
        launcherPath,
        modulePath,
        jvmOptions,
        archive,
        limits);
  }

  /** Where the guest's process finds the JDK. */
  public Path jdkInside() {
    return hasOwnRoot() ? OURS.resolve("jdk") : jdk;
  }

  /** Where the guest's process finds the modules of stage 2. */
  public List<Path> launcherPathInside() {
    return inside("launcher", launcherPath);
  }

  /** Where the guest's process finds the modules of the guest. */
  public List<Path> modulePathInside() {
    return inside("guest", modulePath);
  }

  /** Whether there is no guest, and its JVM writes a file. */
  boolean isRehearsal() {
    return archive.isPresent() && archive.get().rehearsal;
  }

  private List<Path> inside(String folder, List<Path> paths) {
    if (!hasOwnRoot()) {
      return paths;
    }
    List<Path> inside = new ArrayList<>();
    for (int i = 0; i < paths.size(); i++) {
      // By number, as two may have the same name; a jar is known by its ending.
      String ending = paths.get(i).toString().endsWith(".jar") ? ".jar" : "";
      inside.add(OURS.resolve(folder).resolve(i + ending));
    }
    return inside;
  }

  private boolean hasOwnRoot() {
    return locks.contains(Lock.NAMESPACES);
  }

  /** For the control socket. */
  public byte[] encode() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeLong(broker);
      out.writeInt(locks.size());
      for (Lock lock : locks) {
        out.writeUTF(lock.name());
      }
      out.writeInt(user);
      out.writeUTF(emptyFolder.toString());
      out.writeUTF(root.map(Path::toString).orElse(""));
      out.writeUTF(jdk.toString());
      writeTexts(out, jdkLinks);
      writeTexts(out, launcherPath);
      writeTexts(out, modulePath);
      writeTexts(out, jvmOptions);
      out.writeBoolean(archive.isPresent());
      if (archive.isPresent()) {
        out.writeUTF(archive.get().folder.toString());
        out.writeUTF(archive.get().name);
        out.writeBoolean(archive.get().rehearsal);
      }
      out.writeInt(limits.threads);
      out.writeInt(limits.descriptors);
      out.writeLong(limits.memory.orElse(UNLIMITED));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  /** As {@link #encode} wrote it. */
  static Plan decode(InputStream bytes) throws IOException {
    try (DataInputStream in = new DataInputStream(bytes)) {
      long broker = in.readLong();
      Set<Lock> locks = EnumSet.noneOf(Lock.class);
      for (int left = in.readInt(); left > 0; left--) {
        locks.add(Lock.valueOf(in.readUTF()));
      }
      return new Plan(
          broker,
          locks,
          in.readInt(),
          Path.of(in.readUTF()),
          Optional.of(in.readUTF()).filter(text -> !text.isEmpty()).map(Path::of),
          Path.of(in.readUTF()),
          readPaths(in),
          readPaths(in),
          readPaths(in),
          readTexts(in),
          readArchive(in),
          new Limits(in.readInt(), in.readInt(), limit(in.readLong())));
    }
  }

  private static Optional<Archive> readArchive(DataInputStream in) throws IOException {
    return in.readBoolean()
        ? Optional.of(new Archive(Path.of(in.readUTF()), in.readUTF(), in.readBoolean()))
        : Optional.empty();
  }

  private static OptionalLong limit(long value) {
    return value == UNLIMITED ? OptionalLong.empty() : OptionalLong.of(value);
  }

  static void writeTexts(DataOutputStream out, List<?> texts) throws IOException {
    out.writeInt(texts.size());
    for (Object text : texts) {
      out.writeUTF(text.toString());
    }
  }

  static List<String> readTexts(DataInputStream in) throws IOException {
    List<String> texts = new ArrayList<>();
    for (int left = in.readInt(); left > 0; left--) {
      texts.add(in.readUTF());
    }
    return texts;
  }

  static List<Path> readPaths(DataInputStream in) throws IOException {
    return readTexts(in).stream().map(Path::of).toList();
  }
}
