package org.gatun.benchmarks;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.gatun.pci.DeviceName;
import org.gatun.vfiouser.VfioUserBackend;

/**
 * The far end of a benchmark: a process of its own that listens at a socket. It ends when it is
 * closed, or when this process ends.
 */
public final class Peer implements AutoCloseable {
  /** Where SPDK's initiator looks for it in a folder. */
  private static final String SOCKET = "cntrl";

  private static final int PATIENCE_SECONDS = 10;

  private final Path folder;
  private final Process process;

  private Peer(Path folder, List<String> command) throws IOException {
    this.folder = folder;
    this.process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    if (process.inputReader().readLine() == null) {
      close();
      throw new IllegalStateException("it did not start: " + command);
    }
  }

  /**
   * One of those in {@code peer.c}.
   *
   * @param kind {@code replies} or {@code events}
   */
  static Peer inC(String kind) {
    try {
      Path folder = Files.createTempDirectory("gatun-peer");
      Path program = folder.resolve("peer");
      CBaseline.compile("peer.c", program);
      return new Peer(folder, List.of(program.toString(), kind, folder.resolve(SOCKET).toString()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * A JVM that serves a simulated device.
   *
   * @param model as {@code gatun} names it
   */
  public static Peer serving(String model) {
    try {
      Path folder = Files.createTempDirectory("gatun-peer");
      return new Peer(
          folder,
          List.of(
              Path.of(System.getProperty("java.home"), "bin", "java").toString(),
              "-cp",
              System.getProperty("java.class.path"),
              "--enable-native-access=ALL-UNNAMED",
              DeviceServer.class.getName(),
              model,
              folder.resolve(SOCKET).toString()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Where it listens. */
  public Path socket() {
    return folder.resolve(SOCKET);
  }

  /** What is served there. */
  public DeviceName device() {
    return new DeviceName(VfioUserBackend.SCHEME, socket().toString());
  }

  @Override
  public void close() {
    try {
      process.outputWriter().close();
      if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly().waitFor();
      }
      List<Path> files;
      try (Stream<Path> all = Files.list(folder)) {
        files = all.toList();
      }
      for (Path file : files) {
        Files.delete(file);
      }
      Files.delete(folder);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
