package org.gatun.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code gatun guests}. */
@Command(
    name = "guests",
    mixinStandardHelpOptions = true,
    description = "Lists the guests of a running broker, and what they have.")
final class GuestsCommand implements Callable<Integer> {
  @Mixin private final ControlOption control = new ControlOption();

  @Mixin private final Output output = new Output();

  @Override
  public Integer call() throws IOException {
    JsonNode guests =
        control.call("ListGuests", JsonNodeFactory.instance.objectNode()).path("guests");
    output.print(guests, out -> print(guests, out));
    return ExitCode.OK;
  }

  private static void print(JsonNode guests, PrintWriter out) {
    Table table = new Table("GUEST", "STATE", "DENIED", "DMA FAULTS", "DIRECTORY", "DEVICES");
    for (JsonNode guest : guests) {
      List<String> devices = new ArrayList<>();
      guest.path("devices").forEach(device -> devices.add(device.asText()));
      table.row(
          guest.path("name").asText(),
          guest.path("state").asText("-"),
          guest.path("deniedAccesses").asText(),
          guest.path("dmaFaults").asText(),
          guest.path("directory").asText(),
          devices.isEmpty() ? "-" : String.join(", ", devices));
    }
    table.print(out);
  }
}
