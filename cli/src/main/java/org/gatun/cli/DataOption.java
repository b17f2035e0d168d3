package org.gatun.cli;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Where the bytes go that a device has returned. A mixin. */
final class DataOption {
  @Option(
      names = "--output",
      paramLabel = "FILE",
      description = "Write the bytes themselves to a file; - is standard output.")
  private Optional<String> file = Optional.empty();

  /**
   * Writes them, if they are to go to a file.
   *
   * @return whether they were
   */
  boolean write(MemorySegment data) throws IOException {
    if (file.isEmpty()) {
      return false;
    }
    try (OutputFile output = new OutputFile(file.get())) {
      output.write(data.asByteBuffer());
      output.complete();
    }
    return true;
  }
}
