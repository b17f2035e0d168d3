package org.gatun.hostile;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.gatun.hostile.nativehelper.Native;

/** Attempts to reach more than what is mapped, or what descriptors are for. */
final class MappingAttempts {
  private static final int PAGE = 4096;
  private static final int READ_WRITE_EXECUTE = 7;
  private static final int SHARED = 1;
  private static final int MAY_MOVE = 1;
  private static final int MADV_REMOVE = 9;
  private static final int AT_FDCWD = -100;
  private static final long POISON = 0x5555_5555_5555_5555L;

  private MappingAttempts() {}

  /** A line of {@code /proc/self/maps}. */
  private record Mapped(long start, long end, String name) {
    long size() {
      return end - start;
    }
  }

  /**
   * Makes one.
   *
   * @param arguments which one, and a part of the name of what is mapped, with _ for a space
   */
  static String make(List<String> arguments) throws IOException {
    return switch (arguments.getFirst()) {
      case "descriptors" -> mapDescriptors();
      case "reopen" -> reopen();
      case "files" -> mapFiles();
      default -> onMapping(arguments.getFirst(), find(arguments.get(1).replace("_", " ")));
    };
  }

  private static String onMapping(String name, Mapped mapped) {
    long more = 16 * mapped.size();
    return switch (name) {
      case "grow" -> poisoned(mremap(mapped.start, mapped.size(), more), mapped.size());
      case "copy" -> poisoned(mremap(mapped.start, 0, more), mapped.size());
      // remap_file_pages: the second page of the file in place of the first
      case "shift" -> {
        long result = Native.call(216, mapped.start, PAGE, 0, 1, 0);
        yield poisoned(result == 0 ? mapped.start : result, 0);
      }
      case "execute" ->
          "result " + Native.call(10, mapped.start, mapped.size(), READ_WRITE_EXECUTE);
      case "punch" -> "result " + Native.call(28, mapped.start, mapped.size(), MADV_REMOVE);
      default -> throw new IllegalArgumentException("there is no attempt " + name);
    };
  }

  private static long mremap(long address, long size, long newSize) {
    return Native.call(25, address, size, newSize, MAY_MOVE);
  }

  /** Writes beyond what was mapped, if that is possible now. */
  private static String poisoned(long address, long offset) {
    if (address < 0 && address > -4096) {
      return "result " + address;
    }
    MemorySegment beyond = Native.memory(address + offset, PAGE);
    long found = beyond.get(JAVA_LONG, 0);
    beyond.set(JAVA_LONG, 0, POISON);
    return "reached 0x%x, and wrote".formatted(found);
  }

  /** What of the descriptors can be mapped to write, and what to read. */
  private static String mapDescriptors() throws IOException {
    Map<String, Integer> readable = new TreeMap<>();
    Map<String, Integer> writable = new TreeMap<>();
    for (int number : RawSocket.numbers()) {
      if (Native.call(9, 0, PAGE, 1, SHARED, number, 0) > 0) {
        readable.merge(kind(RawSocket.target(number)), 1, Integer::sum);
      }
      if (Native.call(9, 0, PAGE, 2, SHARED, number, 0) > 0) {
        writable.merge(kind(RawSocket.target(number)), 1, Integer::sum);
      }
    }
    return "readable %s, writable %s".formatted(readable.keySet(), writable.keySet());
  }

  /** What of the descriptors can be opened anew, with more rights. */
  private static String reopen() throws IOException {
    Map<String, Integer> opened = new TreeMap<>();
    Map<Long, Integer> results = new TreeMap<>();
    try (Arena arena = Arena.ofConfined()) {
      for (int number : RawSocket.numbers()) {
        MemorySegment path = arena.allocateFrom("/proc/self/fd/" + number);
        for (int flags : new int[] {1, 2, 1 << 9}) { // O_WRONLY, O_RDWR, O_TRUNC
          long result = Native.call(257, AT_FDCWD, path.address(), flags, 0);
          if (result >= 0) {
            opened.merge(RawSocket.target(number), 1, Integer::sum);
          } else {
            results.merge(result, 1, Integer::sum);
          }
        }
      }
    }
    return "opened %s, results %s".formatted(opened.keySet(), results.keySet());
  }

  /** Files that are mapped, by their mappings: it takes a capability to open them so. */
  private static String mapFiles() throws IOException {
    int opened = 0;
    Path folder = Path.of("/proc/self/map_files");
    try (var links = Files.newDirectoryStream(folder);
        Arena arena = Arena.ofConfined()) {
      for (Path link : links) {
        long result =
            Native.call(257, AT_FDCWD, arena.allocateFrom(link.toString()).address(), 0, 0);
        opened += result >= 0 ? 1 : 0;
      }
    }
    return "opened " + opened;
  }

  private static String kind(String target) {
    return target.startsWith("/gatun/") ? "/gatun" : target;
  }

  private static Mapped find(String part) throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/maps"))) {
      if (line.contains(part)) {
        String[] range = line.substring(0, line.indexOf(' ')).split("-", -1);
        return new Mapped(
            Long.parseUnsignedLong(range[0], 16), Long.parseUnsignedLong(range[1], 16), line);
      }
    }
    throw new IOException("nothing is mapped that is called " + part);
  }
}
