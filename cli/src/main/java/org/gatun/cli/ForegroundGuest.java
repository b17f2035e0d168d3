package org.gatun.cli;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.gatun.broker.Broker;
import org.gatun.broker.DeviceRequest;
import org.gatun.broker.Grant;
import org.gatun.broker.Quota;
import org.gatun.broker.config.GuestProgram;
import org.gatun.broker.service.process.GuestLauncher;
import org.gatun.broker.service.process.GuestProcess;
import org.gatun.broker.service.process.ProcessJournal;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciException;

/** A guest that a command runs in a process of its own, and waits for: its output is printed. */
final class ForegroundGuest {
  private static final Duration LOOK = Duration.ofMillis(100);

  /** How long a guest has to finish what it is doing, when the command is to end. */
  private static final Duration FAREWELL = Duration.ofSeconds(2);

  private ForegroundGuest() {}

  /**
   * How it went.
   *
   * @param pid of its process, which has ended
   */
  record Outcome(long pid, GuestProcess.End end) {}

  /**
   * Runs a guest until it is done, or the command is to end.
   *
   * @param broker has the device; from now on, an interruption closes it if nothing else does
   * @param dmaBytes the memory for its device
   * @throws IOException if it does not start
   */
  static Outcome run(
      Broker broker,
      DeviceName device,
      long dmaBytes,
      GuestProgram program,
      Interruption interruption)
      throws IOException, InterruptedException {
    Quota quota = new Quota(dmaBytes, Quota.DEFAULT.dmaMappings());
    Grant grant = broker.grant(program.module(), quota, List.of(DeviceRequest.of(device)));
    CompletableFuture<GuestProcess.End> ended = new CompletableFuture<>();
    try (RunFolder folder = RunFolder.open();
        GuestLauncher launcher =
            new GuestLauncher(folder.path(), ProcessJournal.open(folder.journal()))) {
      interruption.guard(
          () -> {
            broker.close();
            close(launcher, folder);
          });
      GuestProcess process =
          launcher.start(
              program.module(),
              program,
              quota,
              grant.connect().getFirst(),
              System.out,
              (_, end) -> ended.complete(end));
      interruption.guard(
          () -> {
            process.end("the command ends");
            broker.close();
            close(launcher, folder);
          });
      while (!interruption.isRequested() && !isDone(ended)) {
        // Until one of both.
      }
      grant.revoke(FAREWELL);
      return new Outcome(process.pid(), ended.join());
    } catch (IOException e) {
      // A Ctrl-C reaches its process, too, until that has left the terminal.
      if (interruption.isRequested()) {
        throw new PciException(device, "interrupted while its guest was starting", null, e);
      }
      throw e;
    }
  }

  /** If the command has not closed them itself meanwhile. */
  private static void close(GuestLauncher launcher, RunFolder folder) {
    if (folder.isOpen()) {
      launcher.close();
      folder.close();
    }
  }

  private static boolean isDone(CompletableFuture<GuestProcess.End> ended)
      throws InterruptedException {
    try {
      ended.get(LOOK.toMillis(), TimeUnit.MILLISECONDS);
      return true;
    } catch (TimeoutException _) {
      return false;
    } catch (ExecutionException e) {
      throw new IllegalStateException(e);
    }
  }
}
