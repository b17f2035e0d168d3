package org.gatun.vmtests;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gatun.vmtests.inside.Command;

/**
 * Has the kernel count system calls by the thread that makes them, in the whole machine ({@code
 * Documentation/trace/histogram.rst}), until it is closed.
 */
final class SystemCalls implements AutoCloseable {
  private static final Path TRACEFS = Path.of("/sys/kernel/tracing");
  private static final Path EVENTS = TRACEFS.resolve("events/raw_syscalls");

  /** More entries than there ever are threads: none is dropped. */
  private static final String BY_THREAD = "hist:keys=common_pid:size=16384";

  /** The number of {@code recvmsg} on x86-64. */
  private static final int RECVMSG = 47;

  private static final Pattern ENTRY =
      Pattern.compile("\\{ common_pid: +(\\d+) +} hitcount: +(\\d+)");
  private static final Pattern DROPPED = Pattern.compile("Dropped: (\\d+)");

  private final Path event;
  private final String trigger;

  private SystemCalls(String event, String trigger) throws IOException, InterruptedException {
    if (!Files.exists(EVENTS)) {
      Command.run("mount", "-t", "tracefs", "tracefs", TRACEFS.toString()).expectSuccess();
    }
    this.event = EVENTS.resolve(event);
    this.trigger = trigger;
    trigger(trigger);
  }

  /** Counts all. */
  static SystemCalls all() throws IOException, InterruptedException {
    return new SystemCalls("sys_enter", BY_THREAD);
  }

  /** Counts those by which something came over a socket. */
  static SystemCalls receipts() throws IOException, InterruptedException {
    return new SystemCalls("sys_exit", BY_THREAD + " if id == " + RECVMSG + " && ret > 0");
  }

  /** Those that each thread has made, by its number. */
  Map<Long, Long> now() throws IOException {
    String text = Files.readString(event.resolve("hist"));
    Matcher dropped = DROPPED.matcher(text);
    if (!dropped.find() || Long.parseLong(dropped.group(1)) != 0) {
      throw new IOException("the kernel has not counted all threads: " + text);
    }
    Map<Long, Long> calls = new HashMap<>();
    ENTRY
        .matcher(text)
        .results()
        .forEach(
            entry -> calls.put(Long.parseLong(entry.group(1)), Long.parseLong(entry.group(2))));
    return calls;
  }

  @Override
  public void close() throws IOException {
    trigger("!" + trigger);
  }

  private void trigger(String text) throws IOException {
    Files.writeString(event.resolve("trigger"), text, StandardOpenOption.WRITE);
  }
}
