package org.gatun.vmtests;

import java.lang.ProcessBuilder.Redirect;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.List;

/**
 * A program that maps a file, closes it, and keeps the mapping: for {@link UnprotectedInVm}.
 * Argument: the file. Says {@link #MAPPED} when it has it, and lives until it is killed.
 */
final class MappedByOther {
  static final String MAPPED = "mapped";

  private MappedByOther() {}

  static Process start(Path file) throws Exception {
    return new ProcessBuilder(
            List.of(
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Xshare:auto",
                "-cp",
                System.getProperty("java.class.path"),
                MappedByOther.class.getName(),
                file.toString()))
        .redirectError(Redirect.INHERIT)
        .start();
  }

  static void main(String[] arguments) throws Exception {
    MemorySegment mapped;
    try (FileChannel file = FileChannel.open(Path.of(arguments[0]))) {
      mapped = file.map(FileChannel.MapMode.READ_ONLY, 0, 4096, Arena.global());
    }
    System.out.println(MAPPED);
    Thread.currentThread().join();
    throw new AssertionError(mapped);
  }
}
