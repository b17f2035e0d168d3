package org.gatun.broker.service.process;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.gatun.broker.config.GuestProgram;

/**
 * A control group of the kernel's (cgroup v2), by its folder: what a guest's process, or all of a
 * broker's, may use, and by which it is ended whatever it does. Any thread.
 */
record ControlGroup(Path folder) {
  /** In microseconds: {@code cpu.max} is a time in each period. */
  private static final long PERIOD = 100_000;

  private static final Duration LIMIT = Duration.ofSeconds(10);
  private static final Duration LOOK = Duration.ofMillis(2);

  /** The files in it; the root of the hierarchy lacks most of them. */
  enum File {
    PROCESSES("cgroup.procs"),
    CONTROLLERS("cgroup.controllers"),
    PASSED_ON("cgroup.subtree_control"),
    EVENTS("cgroup.events"),
    /** Since Linux 5.14. */
    KILL("cgroup.kill"),
    CPU("cpu.max"),
    MEMORY("memory.max"),
    SWAP("memory.swap.max"),
    MEMORY_EVENTS("memory.events"),
    WHOLE("memory.oom.group"),
    THREADS("pids.max");

    private final String text;

    File(String text) {
      this.text = text;
    }
  }

  /**
   * Makes one for a guest's process.
   *
   * @param controllers that it has
   */
  static ControlGroup make(Path folder, List<String> controllers, GuestProgram program)
      throws IOException {
    ControlGroup group = new ControlGroup(Files.createDirectory(folder));
    boolean done = false;
    try {
      if (controllers.contains("cpu") && program.limits().cpu().isPresent()) {
        long share = Math.round(program.limits().cpu().getAsDouble() * PERIOD);
        group.write(File.CPU, share + " " + PERIOD);
      }
      if (controllers.contains("memory")) {
        group.write(File.MEMORY, Long.toString(program.memoryBytes()));
        group.write(File.WHOLE, "1");
        if (group.has(File.SWAP)) {
          group.write(File.SWAP, "0"); // which else is memory besides
        }
      }
      if (controllers.contains("pids")) {
        group.write(File.THREADS, Integer.toString(program.threads()));
      }
      done = true;
      return group;
    } finally {
      if (!done) {
        Files.deleteIfExists(folder);
      }
    }
  }

  /** The process is in it from now on, with all that it starts. */
  void add(long pid) throws IOException {
    write(File.PROCESSES, Long.toString(pid));
  }

  /** The processes that are in it, without those in groups below. */
  List<Long> processes() throws IOException {
    return lines(File.PROCESSES).stream().map(Long::valueOf).toList();
  }

  /** Which controllers those below it can have. */
  List<String> controllers() throws IOException {
    return words(File.CONTROLLERS);
  }

  /** Which controllers those below it have. */
  List<String> passedOn() throws IOException {
    return words(File.PASSED_ON);
  }

  /** Those below it have this controller from now on. */
  void passOn(String controller) throws IOException {
    write(File.PASSED_ON, "+" + controller);
  }

  /** Whether it is the kernel's first one, in which processes may be beside other groups. */
  boolean isRoot() {
    return !has(File.EVENTS);
  }

  /** Whether the kernel ended it because its memory was used up. */
  boolean ranOutOfMemory() throws IOException {
    return has(File.MEMORY_EVENTS) && fields(File.MEMORY_EVENTS).getOrDefault("oom_kill", 0L) > 0;
  }

  /**
   * Ends all that is in it and below it; where the kernel can't, that is left to who knows pids.
   */
  void kill() throws IOException {
    if (has(File.KILL)) {
      write(File.KILL, "1");
    }
  }

  /**
   * Waits until all that is in it has ended, and removes it, and those below it.
   *
   * @throws IOException if something does not end
   */
  void remove() throws IOException {
    long begin = System.nanoTime();
    while (has(File.EVENTS) && fields(File.EVENTS).getOrDefault("populated", 0L) > 0) {
      if (System.nanoTime() - begin > LIMIT.toNanos()) {
        throw new IOException(folder + ": the processes in it do not end: " + processes());
      }
      try {
        Thread.sleep(LOOK);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("interrupted while waiting for the end of " + folder, e);
      }
    }
    for (ControlGroup group : below()) {
      group.remove();
    }
    Files.deleteIfExists(folder);
  }

  private List<ControlGroup> below() throws IOException {
    List<ControlGroup> groups = new ArrayList<>();
    try (DirectoryStream<Path> folders = Files.newDirectoryStream(folder, Files::isDirectory)) {
      folders.forEach(found -> groups.add(new ControlGroup(found)));
    } catch (NoSuchFileException _) {
      // Removed already.
    }
    return groups;
  }

  private boolean has(File file) {
    return Files.exists(path(file));
  }

  private Path path(File file) {
    return folder.resolve(file.text);
  }

  private void write(File file, String text) throws IOException {
    // At once: each write is a command to the kernel.
    Files.writeString(path(file), text, StandardOpenOption.WRITE);
  }

  private List<String> lines(File file) throws IOException {
    return Files.readAllLines(path(file));
  }

  private List<String> words(File file) throws IOException {
    return lines(file).stream()
        .flatMap(line -> List.of(line.split(" ", -1)).stream())
        .filter(word -> !word.isEmpty())
        .toList();
  }

  /** Lines of a name and a number. */
  private Map<String, Long> fields(File file) throws IOException {
    Map<String, Long> fields = new HashMap<>();
    for (String line : lines(file)) {
      String[] words = line.split(" ", -1);
      fields.put(words[0], Long.valueOf(words[1]));
    }
    return fields;
  }
}
