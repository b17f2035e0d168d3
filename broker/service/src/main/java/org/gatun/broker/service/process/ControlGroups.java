package org.gatun.broker.service.process;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.gatun.broker.config.GuestProgram;

/**
 * Where a broker has the control groups of its guests' processes (cgroup v2): in a group beside
 * itself, with those controllers that it can pass on; or nowhere, where it may make none. Any
 * thread.
 */
final class ControlGroups implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(ControlGroups.class.getName());

  /** What limits what, in the order in which it is looked at. */
  private static final List<String> WANTED = List.of("cpu", "memory", "pids");

  /**
   * The broker's own, below what it was given: a group that has controllers for others has no
   * processes itself (cgroup v2, "No Internal Process Constraint").
   */
  private static final String OWN = "gatun-broker";

  private static final String GUESTS = "gatun-guests-";
  private static final int NUMBER_BYTES = 6;

  private final ProcessJournal journal;
  private final Optional<ControlGroup> all;
  private final List<String> controllers;

  /** What is in the way of all, or of some controllers. */
  private final String obstacle;

  private ControlGroups(
      ProcessJournal journal,
      Optional<ControlGroup> all,
      List<String> controllers,
      String obstacle) {
    this.journal = journal;
    this.all = all;
    this.controllers = controllers;
    this.obstacle = obstacle;
  }

  /** Makes a group for the guests' of this process, if it may. */
  static ControlGroups open(ProcessJournal journal) {
    List<String> obstacles = new ArrayList<>();
    try {
      ControlGroup given = given();
      prepare(given, obstacles);
      byte[] number = new byte[NUMBER_BYTES];
      // So that none of another broker's, or of before the machine was started, has the same name.
      new SecureRandom().nextBytes(number);
      Path folder = given.folder().resolve(GUESTS + HexFormat.of().formatHex(number));
      journal.note(folder);
      ControlGroup all = new ControlGroup(Files.createDirectory(folder));
      for (String controller : all.controllers()) {
        if (WANTED.contains(controller)) {
          all.passOn(controller);
        }
      }
      List<String> passedOn = all.passedOn();
      if (passedOn.isEmpty() && obstacles.isEmpty()) {
        obstacles.add(given.folder() + " has no such controller");
      }
      return new ControlGroups(journal, Optional.of(all), passedOn, String.join("; ", obstacles));
    } catch (IOException e) {
      LOG.log(Level.DEBUG, "guests have no control groups", e);
      return new ControlGroups(
          journal, Optional.empty(), List.of(), String.valueOf(e.getMessage()));
    }
  }

  /** The group in which those of the guests can be. */
  private static ControlGroup given() throws IOException {
    Path mount = null;
    Path root = Path.of("/");
    for (String line : Files.readAllLines(Path.of("/proc/self/mountinfo"))) {
      // proc(5): the fourth field is the mount's root, the fifth its place; the type is behind
      // a dash.
      String[] fields = line.split(" ", -1);
      if (line.contains(" - cgroup2 ")) {
        root = Path.of(fields[3]);
        mount = Path.of(fields[4]);
      }
    }
    if (mount == null) {
      throw new IOException("no cgroup v2 is mounted");
    }
    for (String line : Files.readAllLines(Path.of("/proc/self/cgroup"))) {
      if (line.startsWith("0::")) {
        Path own = Path.of(line.substring("0::".length()));
        if (own.startsWith(root)) {
          Path folder = mount.resolve(root.relativize(own)).normalize();
          // Who was here before, in this process, has moved it.
          return new ControlGroup(folder.endsWith(OWN) ? folder.resolve("..").normalize() : folder);
        }
      }
    }
    throw new IOException("the cgroup v2 at " + mount + " does not have this process in it");
  }

  /** Has the controllers in it passed on, if nobody else is in it. */
  private static void prepare(ControlGroup given, List<String> obstacles) throws IOException {
    List<String> missing = new ArrayList<>(given.controllers());
    missing.retainAll(WANTED);
    missing.removeAll(given.passedOn());
    if (missing.isEmpty()) {
      return;
    }
    if (!given.isRoot() && !moveOut(given)) {
      obstacles.add(
          "other processes are in %s: run the broker as a service with Delegate=yes"
              .formatted(given.folder()));
      return;
    }
    for (String controller : missing) {
      try {
        given.passOn(controller);
      } catch (IOException e) {
        obstacles.add("%s can't pass on %s: %s".formatted(given.folder(), controller, e));
      }
    }
  }

  private static boolean moveOut(ControlGroup given) throws IOException {
    long self = ProcessHandle.current().pid();
    if (!List.of(self).containsAll(given.processes())) {
      return false;
    }
    Path own = given.folder().resolve(OWN);
    Files.createDirectories(own);
    new ControlGroup(own).add(self);
    return true;
  }

  /** Whether the memory of guests' processes is limited by their groups. */
  boolean limitMemory() {
    return controllers.contains("memory");
  }

  /**
   * Makes a group for a guest's process.
   *
   * @param name for people, and none of another process
   * @return empty where there are none, and none is needed
   * @throws IOException if a limit that was asked for can't be held
   */
  Optional<ControlGroup> make(String name, GuestProgram program) throws IOException {
    if (program.limits().cpu().isPresent()) {
      demand("cpu", "cpu");
    }
    if (program.limits().memory().isPresent()) {
      demand("memory", "memory");
    }
    if (program.limits().threads().isPresent()
        && program.without().contains(GuestProgram.Lock.USER)) {
      // By user it is held without a group.
      demand("threads", "pids");
    }
    if (all.isEmpty()) {
      return Optional.empty();
    }
    String safe = name.replaceAll("[^A-Za-z0-9._-]", "_");
    return Optional.of(ControlGroup.make(all.get().folder().resolve(safe), controllers, program));
  }

  private void demand(String limit, String controller) throws IOException {
    if (!controllers.contains(controller)) {
      throw new IOException(
          "the limit '%s' is not available: no cgroup v2 with the %s controller here (%s)"
              .formatted(limit, controller, obstacle));
    }
  }

  /** The guests' processes have ended. */
  @Override
  public void close() {
    if (all.isEmpty()) {
      return;
    }
    try {
      all.get().kill();
      all.get().remove();
      journal.noteNone();
    } catch (IOException e) {
      LOG.log(Level.WARNING, "the control group of guests: " + e.getMessage(), e);
    }
  }

  /** Ends all that a former broker left in a group that it noted, and begins to remove that. */
  static void killIn(Path folder) throws IOException {
    if (isOurs(folder)) {
      new ControlGroup(folder).kill();
    }
  }

  /** Removes what a former broker noted, and whose processes have been ended. */
  static void remove(Path folder) throws IOException {
    if (isOurs(folder)) {
      LOG.log(Level.INFO, "removing {0}, which a former broker left", folder);
      new ControlGroup(folder).remove();
    }
  }

  private static boolean isOurs(Path folder) {
    return String.valueOf(folder.getFileName()).startsWith(GUESTS) && Files.isDirectory(folder);
  }
}
