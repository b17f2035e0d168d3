package org.gatun.broker.service;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Stream;
import jdk.jfr.FlightRecorder;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.gatun.broker.service.process.GuestProcess;
import org.gatun.pci.DeviceName;

/**
 * What is kept of guests whose processes did not end well: for each a folder with the last lines of
 * its output, and with a flight recording of what it did, as the broker saw that. The guest's own
 * JVM is not recorded: it would need a place to write to, and its word would prove nothing. Any
 * thread.
 */
final class PostMortems implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(PostMortems.class.getName());

  /** Of each guest, the newest. */
  private static final int KEPT = 10;

  private static final Duration LIMIT = Duration.ofSeconds(10);
  private static final Duration RECORDED = Duration.ofMinutes(10);
  private static final long RECORDED_BYTES = 16 << 20;

  /** Sorts by time, and is a name on every file system. */
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH-mm-ss.SSS'Z'").withZone(ZoneOffset.UTC);

  private final Path folder;
  private final Optional<Recording> recording;
  private final Runnable sampler;
  private final ExecutorService writer =
      Executors.newSingleThreadExecutor(
          Thread.ofPlatform().daemon().name("gatun keeps what is left").factory());

  private PostMortems(Path folder, Optional<Recording> recording, Runnable sampler) {
    this.folder = folder;
    this.recording = recording;
    this.sampler = sampler;
  }

  /**
   * Begins to record.
   *
   * @param folder is made when there is something to be kept
   * @param samples looks at the processes that there are; called once a second
   */
  static PostMortems open(Path folder, Supplier<List<GuestSample>> samples) {
    Runnable sampler = () -> samples.get().forEach(GuestSample::commit);
    if (!FlightRecorder.isAvailable()) {
      LOG.log(Level.WARNING, "this JVM has no flight recorder: of guests only output is kept");
      return new PostMortems(folder, Optional.empty(), sampler);
    }
    // No settings: so all events of ours are in it, and none of the JVM's.
    Recording recording = new Recording();
    recording.setName("Gatun's guests");
    recording.setMaxAge(RECORDED);
    recording.setMaxSize(RECORDED_BYTES);
    FlightRecorder.addPeriodicEvent(GuestSample.class, sampler);
    recording.start();
    return new PostMortems(folder, Optional.of(recording), sampler);
  }

  /**
   * Keeps what there is of a guest that has ended, soon: nobody waits for that.
   *
   * @param then gets the folder; is not called if that failed
   */
  void keep(
      String guest, DeviceName device, long process, GuestProcess.End end, Consumer<Path> then) {
    Instant now = Instant.now();
    try {
      writer.execute(() -> write(guest, device, process, end, now).ifPresent(then));
    } catch (RejectedExecutionException e) {
      LOG.log(Level.WARNING, "guest " + guest + ": it ended after the broker had", e);
    }
  }

  private Optional<Path> write(
      String guest, DeviceName device, long process, GuestProcess.End end, Instant now) {
    Path all = folder.resolve(guest);
    Path one = all.resolve(TIME.format(now) + "-" + process);
    try {
      Files.createDirectories(
          one, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
      List<String> lines =
          new ArrayList<>(
              List.of(
                  "guest: " + guest,
                  "device: " + device,
                  "process: " + process,
                  "ended: " + now,
                  "status: " + end.status(),
                  "reason: " + end.reason(),
                  ""));
      lines.addAll(end.lastLines());
      Files.write(one.resolve("output.txt"), lines);
      if (recording.isPresent()) {
        record(recording.get(), guest, one.resolve("recording.jfr"));
      }
      removeOld(all);
      return Optional.of(one);
    } catch (IOException e) {
      LOG.log(Level.WARNING, "guest " + guest + ": what is left of it can't be kept: " + e, e);
      return Optional.empty();
    }
  }

  private static void record(Recording recording, String guest, Path file) throws IOException {
    Path everybodys = file.resolveSibling("all.jfr");
    try {
      recording.dump(everybodys);
      try (RecordingFile events = new RecordingFile(everybodys)) {
        events.write(file, event -> isOf(guest, event));
      }
    } finally {
      Files.deleteIfExists(everybodys);
    }
  }

  private static boolean isOf(String guest, RecordedEvent event) {
    return event.hasField("guest") && guest.equals(event.getString("guest"));
  }

  private static void removeOld(Path all) throws IOException {
    List<Path> folders;
    try (Stream<Path> entries = Files.list(all)) {
      folders = entries.sorted().toList();
    }
    for (Path old : folders.subList(0, Math.max(0, folders.size() - KEPT))) {
      delete(old);
    }
  }

  /** With whatever is in it: a broker that was killed leaves what it was writing. */
  private static void delete(Path folder) throws IOException {
    List<Path> files;
    try (Stream<Path> found = Files.walk(folder)) {
      files = found.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path file : files) {
      Files.delete(file);
    }
  }

  /** Writes what is to be kept still, and records no more. */
  @Override
  public void close() {
    writer.shutdown();
    try {
      if (!writer.awaitTermination(LIMIT.toSeconds(), TimeUnit.SECONDS)) {
        LOG.log(Level.WARNING, "what is left of guests was not kept in {0}", LIMIT);
      }
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
    if (recording.isPresent()) {
      FlightRecorder.removePeriodicEvent(sampler);
      recording.get().close();
    }
  }
}
