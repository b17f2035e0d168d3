package org.gatun.simulated.trace;

import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.gatun.pci.DeviceName;

/**
 * What a {@link Trace} had at some moment.
 *
 * @param records in the order in which they were seen
 * @param lost how many there were besides, which were overwritten
 */
public record TraceSnapshot(List<TraceRecord> records, long lost) {
  /** Copies the list. */
  public TraceSnapshot {
    records = List.copyOf(records);
  }

  /** The last of them, at most so many. */
  public TraceSnapshot last(int count) {
    int left = Math.max(0, records.size() - count);
    return new TraceSnapshot(records.subList(left, records.size()), lost + left);
  }

  /** A line for each: number, microseconds since the first, thread, device, access. */
  public String text() {
    StringBuilder text = new StringBuilder();
    if (lost > 0) {
      text.append("(%d earlier accesses are not shown)%n".formatted(lost));
    }
    int threads = records.stream().mapToInt(r -> r.thread().length()).max().orElse(0);
    int devices = records.stream().mapToInt(r -> r.device().toString().length()).max().orElse(0);
    String line =
        "%8d %14s  %-" + Math.max(1, threads) + "s  %-" + Math.max(1, devices) + "s  %s%n";
    for (TraceRecord each : records) {
      text.append(
          line.formatted(each.number(), micros(each), each.thread(), each.device(), each.access()));
    }
    return text.toString();
  }

  /**
   * The same as a file for Perfetto and for Chrome's tracing: JSON in the Trace Event Format, with
   * a process for each device and a thread for each thread.
   */
  public String chromeJson() {
    StringBuilder json = new StringBuilder("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
    Map<DeviceName, Integer> processes = new LinkedHashMap<>();
    records.forEach(r -> processes.putIfAbsent(r.device(), processes.size() + 1));
    String separator = "\n";
    for (Map.Entry<DeviceName, Integer> process : processes.entrySet()) {
      json.append(separator).append(name("process_name", process.getValue(), 0, process.getKey()));
      separator = ",\n";
    }
    Set<List<Long>> named = new LinkedHashSet<>();
    for (TraceRecord each : records) {
      int process = processes.getOrDefault(each.device(), 0);
      if (named.add(List.of((long) process, each.threadId()))) {
        json.append(separator).append(name("thread_name", process, each.threadId(), each.thread()));
      }
      json.append(separator).append(event(each, process));
    }
    return json.append("\n]}\n").toString();
  }

  private static String name(String what, int process, long thread, Object name) {
    return String.format(
        Locale.ROOT,
        "{\"name\":\"%s\",\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"args\":{\"name\":%s}}",
        what,
        process,
        thread,
        quoted(name.toString()));
  }

  /** An instant, of its thread. */
  private String event(TraceRecord each, int process) {
    Access access = each.access();
    return String.format(
        Locale.ROOT,
        "{\"name\":%s,\"cat\":\"%s\",\"ph\":\"i\",\"s\":\"t\",\"pid\":%d,\"tid\":%d,\"ts\":%s,"
            + "\"args\":{\"number\":%d,\"address\":\"0x%x\",\"length\":%d,\"value\":\"0x%x\"}}",
        quoted(access.toString()),
        access.kind().word(),
        process,
        each.threadId(),
        micros(each),
        each.number(),
        access.address(),
        access.length(),
        access.value());
  }

  /** Microseconds since the first, with all digits. */
  private String micros(TraceRecord each) {
    long nanos = each.nanos() - records.getFirst().nanos();
    return (nanos < 0 ? "-" : "")
        + Math.abs(nanos) / 1000
        + "."
        + String.valueOf(1000 + Math.abs(nanos) % 1000).substring(1);
  }

  /** RFC 8259, 7. */
  private static String quoted(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    text.chars()
        .forEach(
            c -> {
              if (c == '"' || c == '\\') {
                quoted.append('\\').append((char) c);
              } else if (c < ' ') {
                quoted.append("\\u%04x".formatted(c));
              } else {
                quoted.append((char) c);
              }
            });
    return quoted.append('"').toString();
  }
}
