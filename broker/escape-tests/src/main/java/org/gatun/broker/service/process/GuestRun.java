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
import org.gatun.broker.config.GuestProgram.Limits;
import org.gatun.broker.config.GuestProgram.Supervision;
import org.gatun.hostile.GuestModules;
import org.gatun.nativeaccess.Landlock;
import org.gatun.pci.DeviceName;
import org.gatun.pci.spi.PciBackend;

/** A broker, and guests in processes of their own, each as hostile as its arguments say. */
public final class GuestRun implements AutoCloseable {
  private static final int PATIENCE_SECONDS = 100;

  /** As the journal has it. */
  private static final String GROUP = "group ";

  private static final long HEAP = 32L << 20;

  private final Path journal;
  private final Broker broker;
  private final GuestLauncher launcher;
  private final Map<GuestProcess, BlockingQueue<GuestProcess.End>> ends = new ConcurrentHashMap<>();

  /**
   * @param folder for the launcher's files, and the journal
   * @param backend of the devices; stays the caller's
   */
  public GuestRun(Path folder, PciBackend backend) throws IOException {
    broker = new Broker(List.of(backend));
    journal = folder.resolve("processes");
    launcher = new GuestLauncher(folder.resolve("launch"), ProcessJournal.open(journal));
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
    return start("hostile", request, new Quota(dma, 16), program, OutputStream.nullOutputStream());
  }

  /**
   * Starts a guest.
   *
   * @param guest its name
   * @param copy where its output goes besides being kept
   */
  public GuestProcess start(
      String guest, DeviceRequest request, Quota quota, GuestProgram program, OutputStream copy)
      throws IOException {
    BlockingQueue<GuestProcess.End> end = new LinkedBlockingQueue<>();
    GuestProcess process =
        launcher.start(
            guest,
            program,
            quota,
            broker.grant(guest, quota, List.of(request)).connect().getFirst(),
            copy,
            (_, ended) -> end.add(ended));
    ends.put(process, end);
    return process;
  }

  /** The hostile guest, with arguments. */
  public static GuestProgram program(String... arguments) {
    return program(Limits.NONE, arguments);
  }

  /** The hostile guest, within limits. */
  public static GuestProgram program(Limits limits, String... arguments) {
    return program(limits, Supervision.DEFAULT, arguments);
  }

  /** The hostile guest, within limits, and watched. */
  public static GuestProgram program(Limits limits, Supervision supervision, String... arguments) {
    return program(
        GuestModules.path(), "org.gatun.hostile", limits, supervision, List.of(arguments));
  }

  /** A guest of other modules. */
  public static GuestProgram program(List<Path> modulePath, String module) {
    return program(modulePath, module, Limits.NONE, Supervision.DEFAULT, List.of());
  }

  private static GuestProgram program(
      List<Path> modulePath,
      String module,
      Limits limits,
      Supervision supervision,
      List<String> arguments) {
    return new GuestProgram(
        modulePath,
        module,
        arguments,
        Optional.empty(),
        HEAP,
        locksThatAreMissing(),
        supervision,
        limits);
  }

  /** Landlock is missing from some kernels; all others have to be there. */
  private static Set<GuestProgram.Lock> locksThatAreMissing() {
    return Landlock.version() > 0 ? Set.of() : Set.of(GuestProgram.Lock.LANDLOCK);
  }

  /** The folder of all control groups of this broker's guests; empty where it may make none. */
  public Optional<Path> groups() throws IOException {
    return Files.readAllLines(journal).stream()
        .filter(line -> line.startsWith(GROUP))
        .map(line -> Path.of(line.substring(GROUP.length())))
        .filter(Files::isDirectory) // it is noted before it is made
        .findFirst();
  }

  GuestLauncher launcher() {
    return launcher;
  }

  /** Whether a guest has ended, and nobody has waited for that. */
  public boolean hasEnded(GuestProcess process) {
    return !Objects.requireNonNull(ends.get(process)).isEmpty();
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
