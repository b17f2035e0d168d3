package org.gatun.benchmarks.nvme;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * SPDK's programs, built in a folder, which has been given huge pages as its {@code
 * scripts/setup.sh} does.
 */
final class Spdk {
  /** The system property with the folder. */
  static final String FOLDER = "gatun.spdk";

  private static final String SUBSYSTEM = "nqn.2019-07.io.spdk:cnode0";
  private static final String DISK = "Malloc0";
  private static final String MEGABYTES = "64";
  private static final String BLOCK = "512";
  private static final int SECONDS = 3;
  private static final int PATIENCE_SECONDS = 30;
  private static final Pattern TOTAL = Pattern.compile("(?m)^Total\\s*:\\s*([0-9.]+)");

  private final Path folder;

  Spdk(Path folder) {
    this.folder = folder;
  }

  /**
   * Reads a second of its initiator, 4 KiB at random.
   *
   * @param socket of a vfio-user server, named {@code cntrl}
   */
  double rate(Path socket, int depth) throws IOException, InterruptedException {
    String output =
        run(
            program("spdk_nvme_perf"),
            "-q",
            Integer.toString(depth),
            "-o",
            Integer.toString(Target.BLOCK),
            "-w",
            "randread",
            "-t",
            Integer.toString(SECONDS),
            "-c",
            "0x1",
            "-r",
            "trtype:VFIOUSER traddr:" + socket.getParent());
    Matcher total = TOTAL.matcher(output);
    if (!total.find()) {
      throw new IllegalStateException("spdk_nvme_perf says no total: " + output);
    }
    return Double.parseDouble(total.group(1));
  }

  /** A memory disk that its target serves by vfio-user, on the second processor. */
  ServedDisk serve() throws IOException, InterruptedException {
    Path files = Files.createTempDirectory("gatun-spdk");
    Path control = files.resolve("rpc.sock");
    Process process =
        new ProcessBuilder(program("nvmf_tgt"), "-m", "0x2", "-r", control.toString())
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    ServedDisk disk = new ServedDisk(files, process);
    try {
      request(control, "framework_wait_init");
      request(control, "nvmf_create_transport", "-t", "VFIOUSER");
      request(control, "bdev_malloc_create", "-b", DISK, MEGABYTES, BLOCK);
      request(control, "nvmf_create_subsystem", SUBSYSTEM, "-a");
      request(control, "nvmf_subsystem_add_ns", SUBSYSTEM, DISK);
      request(
          control,
          "nvmf_subsystem_add_listener",
          SUBSYSTEM,
          "-t",
          "VFIOUSER",
          "-a",
          files.toString(),
          "-s",
          "0");
      return disk;
    } catch (IOException | InterruptedException | RuntimeException e) {
      disk.close();
      throw e;
    }
  }

  /**
   * A target that runs.
   *
   * @param files its folder, in which the socket is
   */
  record ServedDisk(Path files, Process process) implements AutoCloseable {
    /** Where it listens. */
    Path socket() {
      return files.resolve("cntrl");
    }

    @Override
    public void close() {
      process.destroy();
      try {
        if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
          process.destroyForcibly().waitFor();
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Waits until the target listens for requests. */
  private void request(Path control, String... words) throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                folder.resolve("scripts/rpc.py").toString(),
                "-s",
                control.toString(),
                "-t",
                Integer.toString(PATIENCE_SECONDS),
                "-r",
                Integer.toString(10 * PATIENCE_SECONDS)));
    command.addAll(List.of(words));
    run(command.toArray(String[]::new));
  }

  private String program(String name) {
    return folder.resolve("build/bin").resolve(name).toString();
  }

  private static String run(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IllegalStateException(String.join(" ", command) + " failed: " + output);
    }
    return output;
  }
}
