package org.gatun.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.gatun.pci.PciDevice;

/**
 * What this process has: descriptors by kind, Gatun's threads by name, mapped memfds, and what is
 * used of a device. Compared before and after, it shows what leaked.
 */
public record Holdings(Map<String, Integer> counts, PciDevice.Usage usage) {
  private static final Duration LIMIT = Duration.ofSeconds(10);

  /** The memory of a simulated device, made when it is first shared, and kept as long as it. */
  private static final Duration QUIET = Duration.ofMillis(300);

  private static final String BARS = "/memfd:simulated:";

  /** With no device in particular. */
  public static Holdings ofProcess() {
    return of(PciDevice.Usage.NONE);
  }

  /** With no device in particular, when what other tests have left has ended, too. */
  public static Holdings settled() {
    Holdings now = ofProcess();
    long since = System.nanoTime();
    for (long start = since; System.nanoTime() - start < LIMIT.toNanos(); ) {
      LockSupport.parkNanos(10_000_000);
      Holdings next = ofProcess();
      if (!next.equals(now)) {
        now = next;
        since = System.nanoTime();
      } else if (System.nanoTime() - since > QUIET.toNanos()) {
        break;
      }
    }
    return now;
  }

  static Holdings of(PciDevice device) {
    return of(device.usage());
  }

  private static Holdings of(PciDevice.Usage usage) {
    Map<String, Integer> counts = new TreeMap<>();
    try (Stream<Path> links = Files.list(Path.of("/proc/self/fd"))) {
      links.forEach(link -> count(counts, kind(link)));
      Files.readAllLines(Path.of("/proc/self/maps")).stream()
          .filter(line -> line.contains("/memfd:") && !line.contains(BARS))
          .forEach(line -> count(counts, "mapped " + line.substring(line.indexOf("/memfd:"))));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(name -> name.startsWith("gatun "))
        .forEach(name -> count(counts, "thread " + name));
    return new Holdings(counts, usage);
  }

  /** Waits until it is again as it was: what ends, ends on threads of its own. */
  void assertAgain(PciDevice device) {
    assertAgain(() -> of(device));
  }

  /** As {@link #assertAgain(PciDevice)}. */
  public void assertAgain() {
    assertAgain(Holdings::ofProcess);
  }

  private void assertAgain(Supplier<Holdings> source) {
    long start = System.nanoTime();
    Holdings now = source.get();
    while (!now.equals(this) && System.nanoTime() - start < LIMIT.toNanos()) {
      LockSupport.parkNanos(1_000_000);
      now = source.get();
    }
    assertThat(now).isEqualTo(this);
  }

  private static void count(Map<String, Integer> counts, String kind) {
    if (!kind.isEmpty()) {
      counts.merge(kind, 1, Integer::sum);
    }
  }

  /** Of jars, class files and the like the JVM opens as many as it likes. */
  private static String kind(Path link) {
    String target;
    try {
      target = Files.readSymbolicLink(link).toString();
    } catch (IOException e) {
      return ""; // that of the listing itself, or closed meanwhile
    }
    if (target.startsWith(BARS)) {
      return "";
    }
    if (target.startsWith("/memfd:")) {
      return "memfd";
    }
    if (target.endsWith(FuseFile.NAME)) {
      return "file of FUSE";
    }
    return target.startsWith("/") ? "" : target.replaceAll("\\[\\d+]", "");
  }
}
