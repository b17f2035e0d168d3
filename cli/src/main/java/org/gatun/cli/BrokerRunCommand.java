package org.gatun.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.gatun.broker.config.BrokerConfig;
import org.gatun.broker.service.BrokerEvent;
import org.gatun.broker.service.BrokerInterface;
import org.gatun.broker.service.BrokerService;
import org.gatun.broker.service.varlink.VarlinkServer;
import org.gatun.pci.spi.Backends;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code gatun broker run}. */
@Command(
    name = "run",
    mixinStandardHelpOptions = true,
    description = {
      "Seizes the devices of a policy file, grants them to its guests, and prints a line for each"
          + " step, until SIGINT or SIGTERM. Then it asks the guests for their devices, takes them"
          + " back, and lets them go.",
      "A guest finds a vfio-user socket for each device in DIRECTORY/guests/NAME. 'gatun grant' and"
          + " 'gatun revoke' change what it has, and that is remembered."
    })
final class BrokerRunCommand implements Callable<Integer> {
  @Option(
      names = "--config",
      required = true,
      paramLabel = "FILE",
      description = "The policy file; 'gatun policy check FILE' tells what it gives.")
  private Path file;

  @Mixin private final BrokerFolders folders = new BrokerFolders();

  @Option(names = "--json", description = "Print a JSON object on each line.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    BrokerConfig config = BrokerConfig.read(file);
    if (config.guests().isEmpty()) {
      throw new IllegalArgumentException(file + ": there are no guests in it, so nothing to do");
    }
    Interruption interruption = Gatun.of(spec).interruption;
    try (BrokerService service = open(config)) {
      service.listen(this::say);
      interruption.guard(service::close);
      start(service);
      service.speedUpStarts();
      try (VarlinkServer _ =
          VarlinkServer.listen(
              BrokerInterface.of(service),
              spec.root().version()[0],
              folders.get().control(),
              config.controllers())) {
        interruption.await();
        service.stop(); // who watches sees that
      }
    }
    return ExitCode.OK;
  }

  private BrokerService open(BrokerConfig config) throws IOException {
    try {
      return BrokerService.open(config, folders.get(), Backends.installed());
    } catch (IllegalArgumentException e) {
      throw wrong(e);
    }
  }

  private void start(BrokerService service) throws IOException {
    try {
      service.start();
    } catch (IllegalArgumentException e) {
      throw wrong(e);
    }
  }

  private IllegalArgumentException wrong(IllegalArgumentException e) {
    return new IllegalArgumentException("%s: %s".formatted(file, e.getMessage()), e);
  }

  private void say(BrokerEvent event) {
    PrintWriter out = spec.commandLine().getOut();
    ObjectNode object = BrokerInterface.json(event);
    out.println(json ? object : event);
    out.flush();
  }
}
