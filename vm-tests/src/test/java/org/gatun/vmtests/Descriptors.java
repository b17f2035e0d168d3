package org.gatun.vmtests;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The file descriptors of this process, and how many more it may have. */
final class Descriptors implements AutoCloseable {
  /** Of all architectures that Gatun is for (Linux {@code asm-generic/resource.h}). */
  private static final int RLIMIT_NOFILE = 7;

  private static final MethodHandle GETRLIMIT = downcall("getrlimit");
  private static final MethodHandle SETRLIMIT = downcall("setrlimit");

  private final Arena arena = Arena.ofConfined();

  /** {@code struct rlimit}: soft, hard. */
  private final MemorySegment limit = arena.allocate(JAVA_LONG, 2);

  private final long original;

  /** What is limited from now on is as before once this is closed. */
  Descriptors() {
    call(GETRLIMIT);
    original = limit.get(JAVA_LONG, 0);
  }

  /** The numbers of those that are open, without that of the directory that tells so. */
  static Set<Integer> open() throws IOException {
    try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
      return descriptors
          .filter(path -> !Files.isDirectory(path))
          .map(path -> Integer.parseInt(path.getFileName().toString()))
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }

  /** From now on so many more can be opened. */
  void leave(int more) throws IOException {
    Set<Integer> open = open();
    int number = 0;
    int left = more;
    while (left > 0 || open.contains(number)) {
      left -= open.contains(number) ? 0 : 1;
      number++;
    }
    set(number);
  }

  /** As before. */
  void leaveAll() {
    set(original);
  }

  @Override
  public void close() {
    leaveAll();
    arena.close();
  }

  private void set(long soft) {
    limit.set(JAVA_LONG, 0, soft);
    call(SETRLIMIT);
  }

  private void call(MethodHandle function) {
    int result;
    try {
      result = (int) function.invokeExact(RLIMIT_NOFILE, limit);
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
    if (result != 0) {
      throw new IllegalStateException("the limit of descriptors can't be had or set");
    }
  }

  @SuppressWarnings("restricted")
  private static MethodHandle downcall(String name) {
    Linker linker = Linker.nativeLinker();
    return linker.downcallHandle(
        linker.defaultLookup().findOrThrow(name),
        FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));
  }
}
