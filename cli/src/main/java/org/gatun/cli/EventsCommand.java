package org.gatun.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import org.gatun.broker.service.BrokerInterface;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code gatun events}. */
@Command(
    name = "events",
    mixinStandardHelpOptions = true,
    description = "Prints a line for each thing that happens at a running broker, until SIGINT.")
final class EventsCommand implements Callable<Integer> {
  @Mixin private final ControlOption control = new ControlOption();

  @Option(names = "--json", description = "Print a JSON object on each line.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    return control.talk(
        broker -> {
          broker.watch(
              BrokerInterface.NAME + ".Watch",
              JsonNodeFactory.instance.objectNode(),
              reply -> {
                JsonNode event = reply.path("event");
                out.println(json ? event : event.path("text").asText());
                out.flush();
                return !out.checkError();
              });
          return ExitCode.OK;
        });
  }
}
