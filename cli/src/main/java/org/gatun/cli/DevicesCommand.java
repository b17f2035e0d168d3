package org.gatun.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code gatun devices}. */
@Command(
    name = "devices",
    mixinStandardHelpOptions = true,
    description =
        "Lists the devices of a running broker: who has them, why one is in quarantine, and who had"
            + " it last if it was not erased since.")
final class DevicesCommand implements Callable<Integer> {
  @Mixin private final ControlOption control = new ControlOption();

  @Mixin private final Output output = new Output();

  @Override
  public Integer call() throws IOException {
    JsonNode devices =
        control.call("ListDevices", JsonNodeFactory.instance.objectNode()).path("devices");
    output.print(devices, out -> print(devices, out));
    return ExitCode.OK;
  }

  private static void print(JsonNode devices, PrintWriter out) {
    Table table = new Table("DEVICE", "GUEST", "QUARANTINE", "LAST GUEST");
    for (JsonNode device : devices) {
      table.row(
          device.path("name").asText(),
          device.path("guest").asText("-"),
          device.path("quarantine").asText("-"),
          device.path("lastGuest").asText("-"));
    }
    table.print(out);
  }
}
