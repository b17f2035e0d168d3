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
    Table table = new Table("GUEST", "STATE", "DENIED", "DMA FAULTS", "REGISTERS", "BY", "DEVICES");
    for (JsonNode guest : guests) {
      List<String> devices = new ArrayList<>();
      guest.path("devices").forEach(device -> devices.add(device.asText()));
      table.row(
          guest.path("name").asText(),
          guest.path("state").asText("-"),
          guest.path("deniedAccesses").asText(),
          guest.path("dmaFaults").asText(),
          isRun(guest) ? "mapped" : "trapped*",
          by(guest),
          devices.isEmpty() ? "-" : String.join(", ", devices));
    }
    table.print(out);
    if (isAnyForeign(guests)) {
      out.println(
          "* Registers of a real device are reached by messages, each some 30 us where mapped ones"
              + " take some ns (docs/benchmarks.md). What a simulated device shares is mapped.");
    }
  }

  private static boolean isAnyForeign(JsonNode guests) {
    for (JsonNode guest : guests) {
      if (!isRun(guest)) {
        return true;
      }
    }
    return false;
  }

  private static boolean isRun(JsonNode guest) {
    return guest.path("processes").isArray();
  }

  /** Its processes, or where it finds its sockets. */
  private static String by(JsonNode guest) {
    if (!isRun(guest)) {
      return guest.path("directory").asText();
    }
    List<String> processes = new ArrayList<>();
    guest.path("processes").forEach(pid -> processes.add(pid.asText()));
    return processes.isEmpty() ? "-" : "process " + String.join(", ", processes);
  }
}
