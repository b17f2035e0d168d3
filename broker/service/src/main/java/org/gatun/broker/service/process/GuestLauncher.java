package org.gatun.broker.service.process;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gatun.broker.GrantedDevice;
import org.gatun.broker.Quota;
import org.gatun.broker.config.GuestProgram;
import org.gatun.broker.launcher.Control;
import org.gatun.broker.launcher.Lock;
import org.gatun.broker.launcher.Plan;
import org.gatun.broker.launcher.Stage1;
import org.gatun.nativeaccess.UnixSocket;
import org.jspecify.annotations.Nullable;

/**
 * Starts the processes of guests. All are started by one thread, with which they die. Any thread.
 */
public final class GuestLauncher implements AutoCloseable {
  private static final String SOCKET = ".sock";

  private static final String LAUNCHER = "org.gatun.broker.launcher";

  /** What drivers require, and the launcher does not. */
  private static final String SPECS = "org.gatun.specs";

  private static final List<String> BOTH_STAGES =
      List.of(
          "-XX:+DisableAttachMechanism",
          "-XX:-UsePerfData",
          "-XX:+UseSerialGC",
          "-XX:-UseContainerSupport",
          "-Xshare:auto",
          "--illegal-native-access=deny",
          "--enable-native-access=org.gatun.nativeaccess");

  private final Path folder;
  private final ProcessJournal journal;
  private final ControlGroups groups;
  private final List<Path> modules =
      HostModules.find(LAUNCHER)
          .orElseThrow(() -> new IllegalStateException("the module " + LAUNCHER + " is missing"));

  private final Path jdk;

  /** Where links in the JDK lead that is elsewhere, as in Debian's, whose settings are in /etc. */
  private final List<Path> jdkLinks;

  private final Path emptyFolder;
  private final ClassArchives archives;
  private final ExecutorService spawner =
      Executors.newSingleThreadExecutor(
          Thread.ofPlatform().daemon().name("gatun starts guests").factory());

  private final AtomicLong count = new AtomicLong();

  /** What a JVM gets besides, in a test. */
  private final List<String> moreOptions = new ArrayList<>();

  private final List<Path> moreModules = new ArrayList<>();

  private volatile boolean closed;
  private volatile @Nullable Process rehearsing;

  /**
   * @param folder for sockets that are there for a moment: is made, for this user alone
   * @param journal of the processes
   * @throws IOException if the folder can't be made
   */
  public GuestLauncher(Path folder, ProcessJournal journal) throws IOException {
    this.folder = folder.toAbsolutePath(); // a guest starts in another one
    this.journal = journal;
    this.groups = ControlGroups.open(journal);
    this.jdk = Path.of(System.getProperty("java.home")).toRealPath();
    this.jdkLinks = linksOutOf(jdk);
    Files.createDirectories(folder);
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"));
    removeSockets();
    this.emptyFolder = Files.createDirectories(folder.resolve("root"));
    this.archives = new ClassArchives(folder.resolve("archive"), modules);
  }

  private static List<Path> linksOutOf(Path folder) throws IOException {
    List<Path> outside = new ArrayList<>();
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path link : files.filter(Files::isSymbolicLink).sorted().toList()) {
        Path target = Files.readSymbolicLink(link).normalize();
        boolean shown = outside.stream().anyMatch(target::startsWith);
        if (target.isAbsolute() && !target.startsWith(folder) && !shown && Files.exists(target)) {
          outside.removeIf(other -> other.startsWith(target));
          outside.add(target);
        }
      }
    }
    return List.copyOf(outside);
  }

  /** Of a broker that was killed while it started a guest: nobody listens at them any more. */
  private void removeSockets() throws IOException {
    try (DirectoryStream<Path> left = Files.newDirectoryStream(folder, "*" + SOCKET)) {
      for (Path socket : left) {
        Files.delete(socket);
      }
    }
  }

  /**
   * Starts a guest on a device.
   *
   * @param guest its name, for people
   * @param device connected; is taken over, and closed when the process has ended
   * @param copy where its output goes besides being kept
   * @param listener hears once that it has ended, of a guest that was started
   * @throws GuestProcess.NotStartedException if its process ends instead, with what it said
   * @throws IOException if there is none: the message says why. In both cases the device is closed
   */
  public GuestProcess start(
      String guest,
      GuestProgram program,
      Quota quota,
      GrantedDevice device,
      OutputStream copy,
      GuestProcess.Listener listener)
      throws IOException {
    long number = count.getAndIncrement();
    return GuestProcess.start(
        new GuestProcess.Start(
            guest, number, program, quota, plan(program), folder.resolve(number + SOCKET), copy),
        this,
        device,
        listener);
  }

  /**
   * Has the launcher's classes archived, so that guests start faster from then on; that takes about
   * a second, once for a folder. Nothing is done if the launcher's modules are no jars. {@link
   * #close} ends it early.
   *
   * @throws IOException if there can't be archives; guests start without. For those of the second
   *     stage it takes root
   */
  public void archiveClasses() throws IOException {
    archives.make(
        ClassArchives.Stage.FIRST,
        file -> {
          List<String> command = command(LAUNCHER + ".Rehearsal");
          command.add(1, "-XX:ArchiveClassesAtExit=" + file);
          awaitSuccess(spawn(command));
        });
    archives.make(ClassArchives.Stage.SECOND, this::rehearseSecondStage);
  }

  /** Where a guest's has its modules. */
  private void rehearseSecondStage(Path file) throws IOException {
    Plan plan =
        new Plan(
            ProcessHandle.current().pid(),
            Set.of(Lock.NAMESPACES),
            0,
            emptyFolder,
            Optional.empty(),
            jdk,
            jdkLinks,
            modules,
            List.of(),
            BOTH_STAGES,
            Optional.of(archive(file, true)),
            new Plan.Limits(0, Plan.Limits.DESCRIPTORS, OptionalLong.empty()));
    Path socket = folder.resolve("rehearsal" + SOCKET);
    try (UnixSocket listener = UnixSocket.listen(socket, 1)) {
      Process process = spawn(socket);
      try (Control control = new Control(GuestProcess.accept(listener, process))) {
        control.send(plan.encode(), List.of());
        awaitSuccess(process);
      } finally {
        process.destroyForcibly();
      }
    } finally {
      Files.deleteIfExists(socket);
    }
  }

  private void awaitSuccess(Process process) throws IOException {
    rehearsing = process;
    if (closed) {
      process.destroyForcibly();
    }
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    try {
      if (process.waitFor() != 0) {
        throw new IOException("the launcher's classes can't be archived: " + said);
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  /** No further guest is started; those that were have ended. */
  @Override
  public void close() {
    closed = true;
    Process rehearsal = rehearsing;
    if (rehearsal != null) {
      rehearsal.destroyForcibly();
    }
    // The thread stays: if there were guests still, its end would be theirs.
    groups.close();
  }

  /** For a test: what a guest's JVM has in its boot layer besides. */
  void addToBootLayer(Path modules, List<String> options) {
    moreModules.add(modules);
    moreOptions.addAll(options);
  }

  ProcessJournal journal() {
    return journal;
  }

  ControlGroups groups() {
    return groups;
  }

  /** Starts stage 1. */
  Process spawn(Path socket) throws IOException {
    List<String> command = command(LAUNCHER + ".Stage1");
    archives
        .find(ClassArchives.Stage.FIRST)
        .ifPresent(file -> command.addAll(1, Stage1.using(file)));
    command.add(socket.toString());
    return spawn(command);
  }

  /** Of a class of the launcher's. */
  private List<String> command(String main) {
    List<String> command = new ArrayList<>();
    command.add(jdk.resolve("bin/java").toString());
    command.addAll(BOTH_STAGES);
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "-Xmx32m"));
    if (!modules.isEmpty()) {
      command.add("-p");
      command.add(modules.stream().map(Path::toString).collect(Collectors.joining(":")));
    }
    command.add("-m");
    command.add(LAUNCHER + "/" + main);
    return command;
  }

  /** On the thread that all are started on. */
  private Process spawn(List<String> command) throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(Path.of("/").toFile())
            .redirectInput(Path.of("/dev/null").toFile())
            .redirectErrorStream(true);
    builder.environment().clear();
    try {
      return spawner.submit(builder::start).get();
    } catch (ExecutionException e) {
      throw new IOException("its process can't be started: " + e.getCause(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  private Plan plan(GuestProgram program) throws IOException {
    Set<Lock> locks = EnumSet.allOf(Lock.class);
    program.without().forEach(without -> locks.remove(Lock.valueOf(without.name())));
    List<Path> modulePath = new ArrayList<>();
    for (Path path : program.modulePath()) {
      modulePath.add(path.toRealPath());
    }
    // Behind its own, which may be of another version.
    HostModules.find(SPECS).ifPresent(modulePath::addAll);
    List<String> options = new ArrayList<>(BOTH_STAGES);
    options.add("-Xmx" + program.heapBytes());
    options.add("-XX:+ExitOnOutOfMemoryError");
    options.addAll(moreOptions);
    List<Path> launcherPath = new ArrayList<>(modules);
    launcherPath.addAll(moreModules);
    Optional<Path> root = Optional.empty();
    if (program.root().isPresent()) {
      root = Optional.of(program.root().get().toRealPath());
    }
    return new Plan(
        ProcessHandle.current().pid(),
        locks,
        0,
        emptyFolder,
        root,
        jdk,
        jdkLinks,
        launcherPath,
        modulePath,
        options,
        archive(locks),
        new Plan.Limits(
            program.threads(),
            Plan.Limits.DESCRIPTORS,
            groups.limitMemory() ? OptionalLong.empty() : OptionalLong.of(program.memoryBytes())));
  }

  private Optional<Plan.Archive> archive(Set<Lock> locks) {
    // Elsewhere, or with others, its modules are not those of the archive.
    return locks.contains(Lock.NAMESPACES) && moreModules.isEmpty()
        ? archives.find(ClassArchives.Stage.SECOND).map(file -> archive(file, false))
        : Optional.empty();
  }

  private Plan.Archive archive(Path file, boolean rehearsal) {
    return new Plan.Archive(archives.folder(), file.getFileName().toString(), rehearsal);
  }
}
