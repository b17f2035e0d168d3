package org.gatun.broker.service.process;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.gatun.broker.service.file.DurableFile;

/**
 * The guests' processes, each with its start time, and the control group that they are in, in a
 * file: so that a broker that starts ends those that its predecessor left, whose devices would go
 * on with DMA. Any thread.
 */
public final class ProcessJournal {
  private static final System.Logger LOG = System.getLogger(ProcessJournal.class.getName());
  private static final Duration LIMIT = Duration.ofSeconds(10);
  private static final Duration LOOK = Duration.ofMillis(5);

  /** Begins the line with the control group. */
  private static final String GROUP = "group ";

  private final Path file;

  /** Start time by process. Guarded by this. */
  private final Map<Long, Long> processes = new LinkedHashMap<>();

  /** The folder of the control group, if there is one. Guarded by this. */
  private Optional<Path> group = Optional.empty();

  private ProcessJournal(Path file) {
    this.file = file;
  }

  /**
   * Ends what a predecessor left, and begins anew.
   *
   * @throws IOException if the file can't be read or written, or a process does not end
   */
  public static ProcessJournal open(Path file) throws IOException {
    ProcessJournal left = new ProcessJournal(file);
    left.read();
    left.endAll();
    ProcessJournal journal = new ProcessJournal(file);
    journal.write();
    return journal;
  }

  /**
   * A control group is about to be made at this place: noted first, since one that nobody knows of
   * stays. When this returns, that is on the disk.
   */
  synchronized void note(Path folder) throws IOException {
    group = Optional.of(folder);
    write();
  }

  /** There is no control group any more. */
  synchronized void noteNone() throws IOException {
    group = Optional.empty();
    write();
  }

  /** A process is there; when this returns, that is on the disk. */
  synchronized void add(long pid) throws IOException {
    OptionalLong start = new ProcFiles(pid).startTime();
    if (start.isEmpty()) {
      throw new IOException("process " + pid + " has ended");
    }
    processes.put(pid, start.getAsLong());
    write();
  }

  /** A process has ended. */
  synchronized void remove(long pid) throws IOException {
    processes.remove(pid);
    write();
  }

  private synchronized void read() throws IOException {
    try {
      for (String line : Files.readAllLines(file)) {
        if (line.startsWith(GROUP)) {
          group = Optional.of(Path.of(line.substring(GROUP.length())));
        } else {
          String[] fields = line.split(" ", -1);
          processes.put(Long.parseLong(fields[0]), Long.parseLong(fields[1]));
        }
      }
    } catch (NoSuchFileException _) {
      // There was no predecessor.
    } catch (NumberFormatException | IndexOutOfBoundsException e) {
      throw new IOException(
          file + ": this is not what a broker wrote: end its guests, and remove it", e);
    }
  }

  private synchronized void endAll() throws IOException {
    if (group.isPresent()) {
      ControlGroups.killIn(group.get());
    }
    for (Map.Entry<Long, Long> process : processes.entrySet()) {
      end(process.getKey(), process.getValue());
    }
    if (group.isPresent()) {
      ControlGroups.remove(group.get());
    }
  }

  private static void end(long pid, long start) throws IOException {
    end(pid, () -> new ProcFiles(pid).startTime().equals(OptionalLong.of(start)) && !isZombie(pid));
  }

  /** Whether a process is still there. */
  @FunctionalInterface
  interface Look {
    boolean isThere() throws IOException;
  }

  static void end(long pid, Look look) throws IOException {
    if (!look.isThere()) {
      return;
    }
    LOG.log(Level.INFO, "ending process {0}, which a former broker left", Long.toString(pid));
    long begin = System.nanoTime();
    do {
      ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
      if (System.nanoTime() - begin > LIMIT.toNanos()) {
        throw new IOException(
            "process %d of a former broker does not end: its device may be doing DMA"
                .formatted(pid));
      }
      try {
        Thread.sleep(LOOK);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("interrupted while ending process " + pid, e);
      }
    } while (look.isThere());
  }

  /** Ended, and nobody has asked how: it has no memory and no descriptors any more. */
  private static boolean isZombie(long pid) throws IOException {
    Map<String, String> status = new ProcFiles(pid).threads().get(pid);
    return status != null
        && status.getOrDefault("State", "").startsWith("Z")
        && new ProcFiles(pid).threads().size() == 1;
  }

  private synchronized void write() throws IOException {
    StringBuilder text = new StringBuilder();
    group.ifPresent(folder -> text.append(GROUP).append(folder).append('\n'));
    processes.forEach((pid, start) -> text.append(pid).append(' ').append(start).append('\n'));
    new DurableFile(file).write(text.toString().getBytes(StandardCharsets.UTF_8));
  }
}
