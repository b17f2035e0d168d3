package org.gatun.broker.service.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.gatun.broker.Broker;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.Quota;
import org.gatun.broker.config.GuestProgram;
import org.gatun.hostile.GuestModules;
import org.gatun.nativeaccess.Landlock;
import org.gatun.pci.DeviceName;
import org.gatun.pci.spi.PciBackend;

/** A broker, and guests in processes of their own, each as hostile as its arguments say. */
public final class GuestRun implements AutoCloseable {
  private static final int PATIENCE_SECONDS = 100;

  private final Broker broker;
  private final GuestLauncher launcher;
  private final Map<GuestProcess, BlockingQueue<GuestProcess.End>> ends = new ConcurrentHashMap<>();

  /**
   * @param folder for the launcher's files
   * @param backend of the devices; stays the caller's
   */
  public GuestRun(Path folder, PciBackend backend) throws IOException {
    broker = new Broker(List.of(backend));
    launcher =
        new GuestLauncher(
            folder.resolve("launch"), ProcessJournal.open(folder.resolve("processes")));
    launcher.addToBootLayer(
        GuestModules.nativeHelper(),
        List.of(
            "--add-modules=org.gatun.hostile.nativehelper",
            "--enable-native-access=org.gatun.nativeaccess,org.gatun.hostile.nativehelper"));
  }

  /** Takes a device. */
  public void seize(DeviceName device) {
    broker.seize(device);
  }

  /**
   * Starts a guest.
   *
   * @param dma how much memory it gets for that, in bytes
   */
  public GuestProcess start(DeviceRequest request, long dma, GuestProgram program)
      throws IOException {
    Quota quota = new Quota(dma, 16);
    BlockingQueue<GuestProcess.End> end = new LinkedBlockingQueue<>();
    GuestProcess process =
        launcher.start(
            "hostile",
            program,
            quota,
            broker.grant("hostile", quota, List.of(request)).connect().getFirst(),
            OutputStream.nullOutputStream(),
            (_, ended) -> end.add(ended));
    ends.put(process, end);
    return process;
  }

  /** The hostile guest, with arguments. */
  public static GuestProgram program(String... arguments) {
    return program(GuestModules.path(), "org.gatun.hostile", arguments);
  }

  /** A guest of other modules. */
  public static GuestProgram program(List<Path> modulePath, String module, String... arguments) {
    return new GuestProgram(
        modulePath,
        module,
        List.of(arguments),
        Optional.empty(),
        32L << 20,
        locksThatAreMissing(),
        GuestProgram.Supervision.DEFAULT,
        GuestProgram.Limits.NONE);
  }

  /** Landlock is missing from some kernels; all others have to be there. */
  static Set<GuestProgram.Lock> locksThatAreMissing() {
    return Landlock.version() > 0 ? Set.of() : Set.of(GuestProgram.Lock.LANDLOCK);
  }

  GuestLauncher launcher() {
    return launcher;
  }

  /** Waits for the end of a guest, after which its device is back. */
  public GuestProcess.End awaitEnd(GuestProcess process) throws InterruptedException {
    GuestProcess.End end =
        Objects.requireNonNull(ends.get(process)).poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
    assertThat(end).as("the guest has ended; it said %s", process.lastLines()).isNotNull();
    ends.remove(process);
    return end;
  }

  /** Waits until a guest has said something. */
  public static String awaitLine(GuestProcess process, Predicate<String> line)
      throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (System.nanoTime() - end < 0) {
      Optional<String> found = process.lastLines().reversed().stream().filter(line).findFirst();
      if (found.isPresent()) {
        return found.get();
      }
      Thread.sleep(20);
    }
    throw new AssertionError("the guest did not say it, only " + process.lastLines());
  }

  /** What is open and mapped in this process. */
  public static String holdings() throws IOException {
    try (var fds = Files.list(Path.of("/proc/self/fd"))) {
      return "%d descriptors, %d mappings of DMA memory"
          .formatted(
              fds.count(),
              Files.readAllLines(Path.of("/proc/self/maps")).stream()
                  .filter(line -> line.contains("gatun DMA of"))
                  .count());
    }
  }

  @Override
  public void close() {
    broker.close();
    launcher.close();
  }
}
