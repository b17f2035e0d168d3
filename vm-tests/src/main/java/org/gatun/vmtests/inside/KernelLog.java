package org.gatun.vmtests.inside;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Pattern;

/** The kernel's log from a mark on. */
public final class KernelLog {
  private final String mark;

  private KernelLog(String mark) {
    this.mark = mark;
  }

  /** Writes a mark into the kernel's log; what comes after it is what this object sees. */
  public static KernelLog mark() throws IOException {
    String mark = "gatun mark " + UUID.randomUUID();
    // Level 7, debug: the console does not print it.
    Files.writeString(Path.of("/dev/kmsg"), "<7>" + mark + "\n", StandardOpenOption.WRITE);
    return new KernelLog(mark);
  }

  /**
   * The lines since the mark.
   *
   * @throws AssertionError if the log overflowed, and the mark is no longer in it
   */
  public List<String> lines() throws IOException, InterruptedException {
    List<String> all = Command.run("dmesg").expectSuccess().lines().toList();
    for (int i = all.size() - 1; i >= 0; i--) {
      if (all.get(i).endsWith(mark)) {
        return all.subList(i + 1, all.size());
      }
    }
    throw new AssertionError("the kernel's log overflowed: " + mark + " is no longer in it");
  }

  /** The first line since the mark in which the pattern is found. */
  public Optional<String> find(Pattern pattern) throws IOException, InterruptedException {
    return lines().stream().filter(line -> pattern.matcher(line).find()).findFirst();
  }

  /**
   * Waits for a line in which the pattern is found: the kernel logs many things from a thread of
   * its own.
   *
   * @throws AssertionError if it is not there at the limit
   */
  public String await(Pattern pattern, Duration limit) throws IOException, InterruptedException {
    long end = System.nanoTime() + limit.toNanos();
    while (true) {
      boolean last = System.nanoTime() - end >= 0;
      Optional<String> line = find(pattern);
      if (line.isPresent()) {
        return line.get();
      }
      if (last) {
        throw new AssertionError(
            "no line with %s in the kernel's log within %d s, only:%n%s"
                .formatted(pattern, limit.toSeconds(), String.join("\n", lines())));
      }
      Thread.sleep(50);
    }
  }
}
