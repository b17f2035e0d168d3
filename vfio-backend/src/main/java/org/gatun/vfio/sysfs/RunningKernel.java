package org.gatun.vfio.sysfs;

import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;

/** The kernel that runs. Any thread. */
final class RunningKernel implements KernelControl {
  private static final int MESSAGE_LIMIT = 1000;

  private final Path modprobe;
  private final Duration limit;

  RunningKernel() {
    this(Path.of("/sbin/modprobe"), Duration.ofSeconds(30));
  }

  /**
   * @param modprobe the program
   * @param limit how long it may take
   */
  RunningKernel(Path modprobe, Duration limit) {
    this.modprobe = modprobe;
    this.limit = limit;
  }

  @Override
  public void write(Path file, String text) throws IOException {
    // Neither created nor truncated: a file of sysfs is there, or the write is to fail.
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.write(StandardCharsets.US_ASCII.encode(text));
    }
  }

  @Override
  public void loadModule(String module) throws IOException {
    if (!Files.isExecutable(modprobe)) {
      throw new IOException("there is no " + modprobe);
    }
    // Into a file: a pipe would have to be read, without limit, before anything can be waited for.
    Path output = Files.createTempFile("modprobe", ".log");
    try {
      Process process =
          new ProcessBuilder(List.of(modprobe.toString(), "--", module))
              .redirectErrorStream(true)
              .redirectOutput(output.toFile())
              .start();
      process.getOutputStream().close();
      await(process);
      if (process.exitValue() != 0) {
        throw new IOException(message(output));
      }
    } finally {
      Files.delete(output);
    }
  }

  private void await(Process process) throws IOException {
    try {
      if (!process.waitFor(limit)) {
        process.destroyForcibly();
        throw new IOException(
            "it did not end in %d s, so it was killed".formatted(limit.toSeconds()));
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  private static String message(Path output) throws IOException {
    try (InputStream stream = Files.newInputStream(output)) {
      return new String(stream.readNBytes(MESSAGE_LIMIT), StandardCharsets.UTF_8)
          .strip()
          .replace('\n', ' ');
    }
  }
}
