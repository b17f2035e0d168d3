package org.gatun.vmtests;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A program that takes a copy of the descriptor that another process has of a VFIO device, and
 * keeps it, or a mapping of the device's BAR 0: for {@link RevocationInVm}. Arguments: the process,
 * the {@link Loot}. Says {@link #HELD} when it has it, and lives until it is killed.
 */
final class HeldByOther {
  static final String HELD = "held";

  /** What it keeps. */
  enum Loot {
    DESCRIPTOR,
    MAPPING
  }

  /** System calls of all architectures (Linux {@code asm-generic/unistd.h}). */
  private static final long PIDFD_OPEN = 434;

  private static final long PIDFD_GETFD = 438;

  private static final int PROT_READ = 1;
  private static final int MAP_SHARED = 1;
  private static final long PAGE = 4096;

  private static final MethodHandle SYSCALL =
      downcall(
          "syscall",
          FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
          Linker.Option.firstVariadicArg(1));
  private static final MethodHandle CLOSE =
      downcall("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
  private static final MethodHandle MMAP =
      downcall(
          "mmap",
          FunctionDescriptor.of(
              ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));

  private HeldByOther() {}

  static void main(String[] arguments) throws Throwable {
    long process = Long.parseLong(arguments[0]);
    long pidfd = (long) SYSCALL.invokeExact(PIDFD_OPEN, process, 0L, 0L);
    long copy = (long) SYSCALL.invokeExact(PIDFD_GETFD, pidfd, vfioDevice(process), 0L);
    check("pidfd_getfd", copy);
    if (Loot.valueOf(arguments[1]) == Loot.MAPPING) {
      MemorySegment mapped =
          (MemorySegment)
              MMAP.invokeExact(MemorySegment.NULL, PAGE, PROT_READ, MAP_SHARED, (int) copy, 0L);
      check("mmap", mapped.address());
      check("close", (int) CLOSE.invokeExact((int) copy));
    }
    System.out.println(HELD);
    Thread.currentThread().join();
  }

  private static long vfioDevice(long process) throws IOException {
    try (DirectoryStream<Path> descriptors =
        Files.newDirectoryStream(Path.of("/proc", String.valueOf(process), "fd"))) {
      for (Path descriptor : descriptors) {
        if (Files.readSymbolicLink(descriptor).toString().contains("[vfio-device]")) {
          return Long.parseLong(descriptor.getFileName().toString());
        }
      }
    }
    throw new IllegalStateException("process " + process + " has no VFIO device");
  }

  private static void check(String call, long result) {
    if (result == -1) {
      throw new IllegalStateException(call + " failed");
    }
  }

  @SuppressWarnings("restricted")
  private static MethodHandle downcall(
      String name, FunctionDescriptor function, Linker.Option... options) {
    Linker linker = Linker.nativeLinker();
    return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), function, options);
  }
}
