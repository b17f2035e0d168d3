package org.gatun.broker.service;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.gatun.broker.config.BrokerConfig;
import org.gatun.hostile.GuestModules;
import org.gatun.nativeaccess.Landlock;
import org.gatun.simulated.SimulatedBus;

/**
 * A broker with a guest that reads and writes a simulated disk, until it is killed: prints the
 * guest's process when that is at it. Argument: the folder for what it has.
 */
final class BrokerProcess {
  private BrokerProcess() {}

  static void main(String[] arguments) throws Exception {
    SimulatedBus bus = SimulatedBus.realTime();
    bus.plug("nvme,size=1M");
    BrokerService service = open(Path.of(arguments[0]), bus);
    System.out.println(startGuest(service));
    Thread.sleep(Long.MAX_VALUE);
  }

  /** Starts the service, and returns the process of its guest once that is at work. */
  static long startGuest(BrokerService service) throws Exception {
    CompletableFuture<Long> process = new CompletableFuture<>();
    service.listen(
        event -> {
          if (event instanceof BrokerEvent.Started started) {
            process.complete(started.process());
          }
        });
    service.start();
    return process.get(1, TimeUnit.MINUTES);
  }

  /** A service that has yet to be started. */
  static BrokerService open(Path folder, SimulatedBus bus) throws IOException {
    BrokerConfig config =
        BrokerConfig.parse(
            "policy",
            """
            guests:
              - name: disk
                devices: ['simulated:nvme,size=1M']
                quota: {dma: 4M}
                program:
                  module-path: %s
                  module: org.gatun.hostile
                  arguments: [disk]
                  heap: 64M
                  %s
              - name: other
            """
                .formatted(
                    GuestModules.pathInPolicy(),
                    Landlock.version() > 0 ? "" : "without: [landlock]"));
    return BrokerService.open(
        config,
        new BrokerService.Folders(folder.resolve("run"), folder.resolve("state")),
        List.of(bus));
  }
}
