package org.gatun.broker.service;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.gatun.broker.GrantedDevice;
import org.gatun.broker.Quota;
import org.gatun.vfiouser.DeviceExport;
import org.gatun.vfiouser.ExportOptions;
import org.gatun.vfiouser.Limits;

/**
 * The folder by which a guest outside of this process gets its devices: for each a vfio-user socket
 * {@code slot-S.F.sock}, by its virtual slot and function, and beside it {@code slot-S.F.json},
 * which says what it is. A device that is granted is a new socket, one that is taken back is none
 * any more. The guest can read the folder and write nothing in it; it can be bind-mounted into a
 * container.
 *
 * <p>Any thread.
 */
public final class GrantDirectory implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(GrantDirectory.class.getName());

  /** Where sockets are made, beside the guests' folders, in the same file system. */
  private static final String STAGING = ".new";

  private static final Set<String> OURS = Set.of("sock", "json");

  private final Path staging;
  private final Path directory;
  private final Set<Integer> uids;

  /** By slot; guarded by this. */
  private final Map<Integer, DeviceExport> exports = new TreeMap<>();

  private GrantDirectory(Path staging, Path directory, Set<Integer> uids) {
    this.staging = staging;
    this.directory = directory;
    this.uids = uids;
  }

  /**
   * Makes the folder of a guest, or takes it over from a process that has ended.
   *
   * @param root of the folders of all guests, which nobody else can write to; made if it is missing
   * @param guest its name, as a file can have it
   * @param gid of the group that may look into it; empty for that of this process
   * @param uids whose processes may connect; empty for the user of this process, and root
   * @throws IOException if it can't be made
   */
  public static GrantDirectory open(Path root, String guest, OptionalInt gid, Set<Integer> uids)
      throws IOException {
    if (guest.isEmpty() || guest.startsWith(".") || guest.contains("/")) {
      throw new IllegalArgumentException("a guest's name is no file's: '" + guest + "'");
    }
    if (!Files.isDirectory(root)) {
      // Whatever the umask: guests get through, and do not see each other's names.
      folder(root, "rwx--x--x", OptionalInt.empty());
    }
    Path staging = folder(root.resolve(STAGING), "rwx------", OptionalInt.empty());
    Path directory = folder(root.resolve(guest), "rwxr-x---", gid);
    GrantDirectory opened = new GrantDirectory(staging, directory, uids);
    opened.clear();
    return opened;
  }

  /** Where it is. */
  public Path path() {
    return directory;
  }

  /**
   * Lets the guest have a device, in its slot, until its grant is revoked or it is {@linkplain
   * #close closed}. When the broker asks for it, it is given back as soon as its client has left.
   *
   * @param device connected; closed when it is not served any more. What was in its slot before has
   *     been revoked: a folder is for the devices of one grant at a time.
   * @param quota of its grant
   * @return the socket
   * @throws IOException if its files can't be made; then none are left, and the device stays the
   *     caller's
   */
  public synchronized Path publish(GrantedDevice device, Quota quota) throws IOException {
    int slot = device.slot();
    DeviceExport former = exports.get(slot);
    if (former != null) {
      former.close();
    }
    Path made = staging.resolve(directory.getFileName() + "-" + name(slot, "sock"));
    boolean published = false;
    DeviceExport export =
        DeviceExport.listen(device, made, new ExportOptions(uids, false, Limits.DEFAULT));
    try {
      describe(slot, DeviceDescription.of(device, quota));
      Path socket = file(slot, "sock");
      export.moveTo(socket); // last: who sees it finds the rest
      exports.put(slot, export);
      Thread.ofPlatform()
          .daemon()
          .name("gatun waits for the end of " + export)
          .start(() -> awaitEnd(slot, export, device));
      published = true;
      return socket;
    } finally {
      if (!published) {
        exports.remove(slot);
        export.close();
        remove(file(slot, "json"));
      }
    }
  }

  private void awaitEnd(int slot, DeviceExport export, GrantedDevice device) {
    try {
      export.awaitEnd();
    } catch (InterruptedException e) {
      throw new IllegalStateException("nobody interrupts this", e);
    }
    synchronized (this) {
      if (exports.remove(slot, export)) {
        remove(file(slot, "json"));
      }
    }
    device.close();
  }

  /** The slots of the devices that are there, in order. */
  public synchronized List<Integer> slots() {
    return List.copyOf(exports.keySet());
  }

  /** Takes all devices away, from their clients too, and the folder. */
  @Override
  public void close() {
    List<DeviceExport> open;
    synchronized (this) {
      open = List.copyOf(exports.values());
    }
    open.forEach(DeviceExport::close);
    synchronized (this) {
      exports.keySet().forEach(slot -> remove(file(slot, "json")));
      remove(directory);
    }
  }

  @Override
  public String toString() {
    return directory.toString();
  }

  private void describe(int slot, String description) throws IOException {
    Path made = staging.resolve(directory.getFileName() + "-" + name(slot, "json"));
    Files.writeString(made, description);
    Files.setPosixFilePermissions(made, PosixFilePermissions.fromString("rw-r--r--"));
    Files.move(made, file(slot, "json"), StandardCopyOption.ATOMIC_MOVE);
  }

  /** What is left of a process that ended without doing so. */
  private void clear() throws IOException {
    List<Path> left;
    try (Stream<Path> files = Files.list(directory)) {
      left = files.toList();
    }
    for (Path file : left) {
      String name = file.getFileName().toString();
      if (!name.startsWith("slot-") || !OURS.contains(name.substring(name.lastIndexOf('.') + 1))) {
        throw new IOException(
            file + " is nothing that a broker makes: give guests a folder that has nothing else");
      }
      Files.delete(file);
    }
  }

  private Path file(int slot, String kind) {
    return directory.resolve(name(slot, kind));
  }

  private static String name(int slot, String kind) {
    return "slot-%d.%d.%s".formatted(slot >>> 3, slot & 7, kind);
  }

  private static Path folder(Path path, String permissions, OptionalInt gid) throws IOException {
    if (!Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
      Files.createDirectory(
          path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }
    if (gid.isPresent()) {
      Files.setAttribute(path, "unix:gid", gid.getAsInt(), LinkOption.NOFOLLOW_LINKS);
    }
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(permissions));
    return path;
  }

  private static void remove(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      LOG.log(Level.WARNING, file + " stays: " + e.getMessage());
    }
  }
}
