package org.gatun.broker.service.process;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;

/**
 * What the kernel says of a process, in {@code /proc/PID}. It may end at any moment: then a file is
 * not there, or was opened and can't be read any more (ESRCH).
 */
record ProcFiles(long pid) {
  /** In {@code stat}, counted behind the name: field 22 of all (proc(5)). */
  private static final int START_TIME = 19;

  /** ESRCH, as Java gives it. */
  private static final String NO_SUCH_PROCESS = "No such process";

  /** When it was started, in the kernel's ticks since boot; empty if there is no such process. */
  OptionalLong startTime() throws IOException {
    String stat;
    try {
      stat = Files.readString(file("stat"));
    } catch (IOException e) {
      throwUnlessGone(file("stat"), e);
      return OptionalLong.empty();
    }
    // The name, in parentheses, can have anything in it.
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
    return OptionalLong.of(Long.parseLong(fields[START_TIME]));
  }

  /** The fields of {@code status} of each thread, by thread; empty if there is no such process. */
  Map<Long, Map<String, String>> threads() throws IOException {
    Map<Long, Map<String, String>> threads = new TreeMap<>();
    try (DirectoryStream<Path> tasks = Files.newDirectoryStream(file("task"))) {
      for (Path task : tasks) {
        try {
          threads.put(Long.parseLong(task.getFileName().toString()), fields(task));
        } catch (IOException e) {
          throwUnlessGone(task, e);
        }
      }
    } catch (DirectoryIteratorException e) {
      throwUnlessGone(file("task"), new IOException(e));
    } catch (IOException e) {
      throwUnlessGone(file("task"), e);
    }
    return threads;
  }

  /** What it uses; empty if it has ended. */
  Optional<GuestProcess.Usage> usage() throws IOException {
    Map<String, String> status;
    try {
      status = fields(file("."));
    } catch (IOException e) {
      throwUnlessGone(file("status"), e);
      return Optional.empty();
    }
    Optional<Duration> time = ProcessHandle.of(pid).flatMap(p -> p.info().totalCpuDuration());
    String resident = status.get("VmRSS"); // a process that has ended has none
    if (time.isEmpty() || resident == null) {
      return Optional.empty();
    }
    return Optional.of(
        new GuestProcess.Usage(
            time.get(),
            Long.parseLong(resident.substring(0, resident.indexOf(' '))) << 10,
            Integer.parseInt(status.getOrDefault("Threads", "0"))));
  }

  /** A file of what is just ending can still be there, and give ESRCH. */
  private static void throwUnlessGone(Path path, IOException e) throws IOException {
    boolean ending = String.valueOf(e.getMessage()).endsWith(NO_SUCH_PROCESS);
    if (!ending && Files.exists(path)) {
      throw e;
    }
  }

  private static Map<String, String> fields(Path task) throws IOException {
    Map<String, String> fields = new HashMap<>();
    for (String line : Files.readAllLines(task.resolve("status"))) {
      int colon = line.indexOf(':');
      fields.put(line.substring(0, colon), line.substring(colon + 1).strip());
    }
    return fields;
  }

  /** What each descriptor refers to, by number. */
  Map<Integer, String> descriptors() throws IOException {
    Map<Integer, String> descriptors = new TreeMap<>();
    try (DirectoryStream<Path> links = Files.newDirectoryStream(file("fd"))) {
      for (Path link : links) {
        try {
          descriptors.put(
              Integer.parseInt(link.getFileName().toString()),
              Files.readSymbolicLink(link).toString());
        } catch (NoSuchFileException e) {
          // Closed meanwhile.
        }
      }
    }
    return descriptors;
  }

  /** Which namespace of a kind it is in, such as {@code mnt}. */
  String namespace(String kind) throws IOException {
    return Files.readSymbolicLink(file("ns").resolve(kind)).toString();
  }

  private Path file(String name) {
    return Path.of("/proc", Long.toString(pid), name);
  }
}
