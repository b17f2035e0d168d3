package org.gatun.broker.launcher;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.gatun.nativeaccess.Landlock;
import org.gatun.nativeaccess.LinuxException;
import org.gatun.nativeaccess.Namespaces;
import org.gatun.nativeaccess.Privileges;
import org.gatun.nativeaccess.ProcessControl;
import org.gatun.nativeaccess.ProcessControl.Limit;
import org.gatun.nativeaccess.RootFolder;
import org.gatun.nativeaccess.UnixSocket;

/**
 * The first program of a guest's process. Most of what confines a process concerns the calling
 * thread only, and a JVM has many; so this one restricts its main thread, and then has it execute
 * the JVM that the guest is to run in, each thread of which is confined by that.
 */
public final class Stage1 {
  private static final List<Path> DEVICES =
      List.of(Path.of("/dev/null"), Path.of("/dev/random"), Path.of("/dev/urandom"));

  /** Where programs look for shared libraries, and for what loads them. */
  private static final List<Path> LIBRARIES =
      List.of(Path.of("/lib"), Path.of("/lib64"), Path.of("/usr/lib"), Path.of("/usr/lib64"));

  /** What loads the shared libraries of a program, by processor. */
  private static final List<Path> INTERPRETERS =
      List.of(Path.of("/lib64/ld-linux-x86-64.so.2"), Path.of("/lib/ld-linux-aarch64.so.1"));

  /** In a root that is given: these are made anew. */
  private static final Set<String> REPLACED = Set.of("gatun", "proc", "dev", "sys", "tmp");

  private static final Path PROC = Path.of("/proc");

  private Stage1() {}

  /**
   * Confines the process as it is told, and executes stage 2.
   *
   * @param arguments the path of the control socket
   */
  public static void main(String[] arguments) throws IOException {
    try (Control control = new Control(UnixSocket.connect(Path.of(arguments[0])))) {
      Plan plan = Plan.decode(control.receive(0).message());
      confine(plan);
      List<String> command = new ArrayList<>(plan.jvmOptions());
      plan.archive().ifPresent(archive -> command.addAll(options(archive)));
      command.add("-p");
      command.add(
          plan.launcherPathInside().stream().map(Path::toString).collect(Collectors.joining(":")));
      command.add("-m");
      Class<?> main = plan.isRehearsal() ? Rehearsal.class : Stage2.class;
      command.add("org.gatun.broker.launcher/" + main.getName());
      ProcessControl.execute(plan.jdkInside().resolve("bin/java"), command, control.socket().fd());
    } catch (LockUnavailableException | LinuxException e) {
      System.err.println(e.getMessage());
      System.exit(1);
    }
  }

  private static List<String> options(Plan.Archive archive) {
    return archive.rehearsal()
        ? List.of("-XX:ArchiveClassesAtExit=" + archive.inside())
        : using(archive.inside());
  }

  /** Options of a JVM that is to map an archive of classes. */
  public static List<String> using(Path archive) {
    // Or it tells at length that the archive of its own modules can't be used besides.
    return List.of("-XX:SharedArchiveFile=" + archive, "-Xlog:cds=off");
  }

  private static void confine(Plan plan) throws IOException {
    // A guest is asked to end by the broker, not by a Ctrl-C that is meant for that.
    ProcessControl.leaveTerminal();
    Set<Lock> locks = plan.locks();
    if (locks.contains(Lock.NAMESPACES)) {
      close(
          Lock.NAMESPACES,
          () -> {
            Namespaces.unshare();
            enterRoot(plan);
          });
    }
    ProcessControl.limit(Limit.CORE, 0);
    if (!plan.isRehearsal()) {
      ProcessControl.limit(Limit.FSIZE, 0);
    }
    ProcessControl.limit(Limit.MEMLOCK, 0);
    ProcessControl.limit(Limit.MSGQUEUE, 0);
    ProcessControl.limit(Limit.NOFILE, plan.limits().descriptors());
    plan.limits().memory().ifPresent(bytes -> ProcessControl.limit(Limit.DATA, bytes));
    Privileges.noNew();
    if (locks.contains(Lock.LANDLOCK)) {
      close(Lock.LANDLOCK, () -> restrictFiles(plan));
    }
    if (locks.contains(Lock.USER)) {
      // Of that user alone: of ours there may be more already.
      ProcessControl.limit(Limit.NPROC, plan.limits().threads());
      close(Lock.USER, () -> Privileges.become(plan.user()));
    }
    ProcessControl.dieWithParent(plan.broker());
  }

  private static void enterRoot(Plan plan) throws IOException {
    RootFolder root = RootFolder.make(plan.emptyFolder());
    if (plan.root().isPresent()) {
      showAll(root, plan.root().get());
    } else {
      for (Path library : LIBRARIES) {
        show(root, library, library);
      }
      for (Path link : plan.jdkLinks()) {
        root.bind(link.toRealPath(), link);
      }
    }
    root.bind(plan.jdk(), plan.jdkInside());
    bindAll(root, plan.launcherPath(), plan.launcherPathInside());
    bindAll(root, plan.modulePath(), plan.modulePathInside());
    if (plan.archive().isPresent()) {
      Plan.Archive archive = plan.archive().get();
      if (archive.rehearsal()) {
        root.bindWritable(archive.folder(), Plan.Archive.FOLDER_INSIDE);
      } else {
        root.bind(archive.file(), archive.inside());
      }
    }
    for (Path device : DEVICES) {
      root.bindDevice(device);
    }
    root.proc();
    root.enter();
  }

  private static void bindAll(RootFolder root, List<Path> sources, List<Path> targets)
      throws IOException {
    for (int i = 0; i < sources.size(); i++) {
      root.bind(sources.get(i), targets.get(i));
    }
  }

  private static void showAll(RootFolder root, Path folder) throws IOException {
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
      for (Path entry : entries) {
        String name = entry.getFileName().toString();
        if (!REPLACED.contains(name)) {
          show(root, entry, Path.of("/", name));
        }
      }
    }
  }

  private static void show(RootFolder root, Path source, Path target) throws IOException {
    if (Files.isSymbolicLink(source)) {
      root.link(target, Files.readSymbolicLink(source).toString());
    } else if (Files.exists(source, LinkOption.NOFOLLOW_LINKS)) {
      root.bind(source, target);
    }
  }

  private static void restrictFiles(Plan plan) throws IOException {
    Landlock landlock = new Landlock();
    if (plan.locks().contains(Lock.NAMESPACES)) {
      landlock.read(Path.of("/")); // there is nothing else in it
    } else {
      landlock.read(plan.jdkInside()).read(PROC);
      plan.jdkLinks().forEach(landlock::read);
      plan.launcherPathInside().forEach(landlock::read);
      plan.modulePathInside().forEach(landlock::read);
      LIBRARIES.stream().filter(Files::exists).forEach(landlock::read);
      DEVICES.forEach(landlock::read);
    }
    landlock.execute(plan.jdkInside().resolve("bin/java"));
    INTERPRETERS.stream().filter(Files::exists).forEach(landlock::execute);
    landlock.restrict();
  }

  @FunctionalInterface
  private interface Closing {
    void run() throws IOException;
  }

  private static void close(Lock lock, Closing closing) {
    try {
      closing.run();
    } catch (LinuxException | IOException e) {
      throw new LockUnavailableException(lock, e);
    }
  }
}
