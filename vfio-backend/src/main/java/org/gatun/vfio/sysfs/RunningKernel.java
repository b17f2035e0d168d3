package org.gatun.vfio.sysfs;

import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The kernel that runs. */
enum RunningKernel implements KernelControl {
  INSTANCE;

  private static final long MODPROBE_SECONDS = 30;
  private static final int MESSAGE_LIMIT = 1000;

  @Override
  public void write(Path file, String text) throws IOException {
    // Neither created nor truncated: a file of sysfs is there, or the write is to fail.
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.write(StandardCharsets.US_ASCII.encode(text));
    }
  }

  @Override
  public void loadModule(String module) throws IOException {
    Path modprobe = Path.of("/sbin/modprobe");
    if (!Files.isExecutable(modprobe)) {
      throw new IOException("there is no " + modprobe);
    }
    Process process =
        new ProcessBuilder(List.of(modprobe.toString(), "--", module))
            .redirectErrorStream(true)
            .start();
    process.getOutputStream().close();
    String output;
    try (InputStream stream = process.getInputStream()) {
      output = new String(stream.readNBytes(MESSAGE_LIMIT), StandardCharsets.UTF_8).strip();
    }
    try {
      if (!process.waitFor(MODPROBE_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new IOException("modprobe did not end in " + MODPROBE_SECONDS + " s");
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
    if (process.exitValue() != 0) {
      throw new IOException(output.replace('\n', ' '));
    }
  }
}
