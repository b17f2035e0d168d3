package org.gatun.vfiouser.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.stream.Stream;

/** What must not be left of a peer: errors in the log, descriptors, threads. */
final class Traces implements AutoCloseable {
  private static final Duration LIMIT = Duration.ofSeconds(20);
  private static final Logger LOGGER = Logger.getLogger("org.gatun");

  private final Queue<String> errors = new ConcurrentLinkedQueue<>();
  private final Handler handler = new ErrorHandler();
  private final boolean toParent = LOGGER.getUseParentHandlers();
  private final long before = held();

  Traces() {
    LOGGER.addHandler(handler);
    LOGGER.setUseParentHandlers(false);
  }

  /** Waits until nothing is left. */
  void assertNone() {
    long start = System.nanoTime();
    while (held() != before && System.nanoTime() - start < LIMIT.toNanos()) {
      LockSupport.parkNanos(200_000);
    }
    assertThat(held()).as("descriptors and threads").isEqualTo(before);
    assertThat(errors).isEmpty();
  }

  @Override
  public void close() {
    LOGGER.removeHandler(handler);
    LOGGER.setUseParentHandlers(toParent);
  }

  /** Descriptors of no file with a name, and our threads. */
  private static long held() {
    long threads =
        Thread.getAllStackTraces().keySet().stream()
            .filter(thread -> thread.getName().startsWith("gatun "))
            .count();
    try (Stream<Path> links = Files.list(Path.of("/proc/self/fd"))) {
      return 10_000 * threads + links.filter(Traces::isNameless).count();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static boolean isNameless(Path link) {
    try {
      String target = Files.readSymbolicLink(link).toString();
      return !target.startsWith("/") || target.startsWith("/memfd:");
    } catch (IOException e) {
      return false; // closed meanwhile
    }
  }

  private final class ErrorHandler extends Handler {
    @Override
    public void publish(LogRecord entry) {
      if (entry.getLevel().intValue() >= Level.SEVERE.intValue()) {
        errors.add(entry.getMessage() + " " + entry.getThrown());
      }
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
  }
}
