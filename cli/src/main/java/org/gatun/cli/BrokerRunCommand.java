package org.gatun.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.gatun.broker.Broker;
import org.gatun.broker.Grant;
import org.gatun.broker.GrantRefusedException;
import org.gatun.broker.GrantState;
import org.gatun.broker.GrantedDevice;
import org.gatun.broker.config.BrokerConfig;
import org.gatun.broker.config.GuestConfig;
import org.gatun.pci.DeviceName;
import org.gatun.pci.spi.Backends;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code gatun broker run}. */
@Command(
    name = "run",
    mixinStandardHelpOptions = true,
    description = {
      "Seizes the devices of a policy file, grants them to its guests, and prints a line for each"
          + " step, until SIGINT or SIGTERM. Then it revokes all grants and gives the devices"
          + " back.",
      "A grant waits for its guest (INIT_WAIT). Guests in processes of their own can't come yet: so"
          + " far this shows whether a policy works on this machine, and holds the devices."
    })
final class BrokerRunCommand implements Callable<Integer> {
  private static final System.Logger LOG = System.getLogger(BrokerRunCommand.class.getName());
  private static final ObjectMapper MAPPER = new ObjectMapper();

  @Option(
      names = "--config",
      required = true,
      paramLabel = "FILE",
      description = "The policy file; 'gatun policy check FILE' tells what it gives.")
  private Path file;

  @Option(names = "--json", description = "Print a JSON object on each line.")
  private boolean json;

  @Spec private CommandSpec spec;

  /** Guarded by this. */
  private final List<DeviceName> seized = new ArrayList<>();

  @Override
  public Integer call() throws IOException {
    BrokerConfig config = BrokerConfig.read(file);
    if (config.guests().isEmpty()) {
      throw new IllegalArgumentException(file + ": there are no guests in it, so nothing to do");
    }
    Interruption interruption = Gatun.of(spec).interruption;
    try (Broker broker = new Broker(Backends.installed())) {
      broker.listen(this::changed);
      interruption.guard(() -> giveBack(broker));
      try {
        for (GuestConfig guest : config.guests()) {
          grant(broker, config, guest, interruption);
        }
        interruption.await();
      } finally {
        giveBack(broker);
      }
    }
    return ExitCode.OK;
  }

  private synchronized void add(DeviceName device) {
    seized.add(device);
  }

  private void grant(
      Broker broker, BrokerConfig config, GuestConfig guest, Interruption interruption) {
    for (DeviceName device : guest.devices()) {
      if (interruption.isRequested()) {
        return;
      }
      broker.seize(device);
      DeviceName name = broker.devices().getLast().name();
      add(name);
      say("seized", name + ": seized", Map.of("device", name.toString()));
    }
    try {
      broker.grant(
          guest.name(),
          guest.quota(),
          guest.devices().stream().map(d -> config.request(d, broker.id(d))).toList());
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "%s: guest %s: %s".formatted(file, guest.name(), e.getMessage()), e);
    }
  }

  /**
   * No guest can have come: there is nobody to ask first. A second caller waits for the first, and
   * finds nothing to do.
   */
  private synchronized void giveBack(Broker broker) {
    broker.stop();
    for (DeviceName device : seized.reversed()) {
      release(broker, device);
      say("released", device + ": released", Map.of("device", device.toString()));
    }
    seized.clear();
  }

  private void release(Broker broker, DeviceName device) {
    Optional<Broker.DeviceStatus> status =
        broker.devices().stream().filter(d -> d.name().equals(device)).findFirst();
    status
        .flatMap(Broker.DeviceStatus::quarantine)
        .ifPresent(
            reason ->
                say(
                    "quarantined",
                    device + ": not clean: " + reason,
                    Map.of("device", device.toString(), "reason", reason)));
    try {
      broker.release(device);
    } catch (GrantRefusedException e) {
      // The broker has let it go already: it was wanted back, or went.
      LOG.log(Level.DEBUG, device + ": " + e.getMessage());
    }
  }

  private void changed(Grant grant, GrantState from, GrantState to) {
    List<String> devices =
        grant.devices().stream().map(GrantedDevice::name).map(DeviceName::toString).toList();
    Map<String, Object> data = new LinkedHashMap<>();
    data.put("guest", grant.guest());
    data.put("from", from.toString());
    data.put("to", to.toString());
    data.put("devices", devices);
    say(
        "grant",
        "guest %s: %s -> %s%s"
            .formatted(
                grant.guest(),
                from,
                to,
                devices.isEmpty() ? "" : ": " + String.join(", ", devices)),
        data);
  }

  private void say(String event, String text, Map<String, ?> data) {
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      Map<String, Object> line = new LinkedHashMap<>();
      line.put("event", event);
      line.putAll(data);
      try {
        out.println(MAPPER.writeValueAsString(line));
      } catch (JsonProcessingException e) {
        throw new IllegalStateException("no JSON for " + line, e);
      }
    } else {
      out.println(text);
    }
    out.flush();
  }
}
