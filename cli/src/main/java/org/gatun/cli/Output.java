package org.gatun.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.PrintWriter;
import java.util.function.Consumer;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Output for people, or with {@code --json} for scripts. A mixin of the commands that have both.
 */
final class Output {
  private static final ObjectMapper MAPPER =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  /**
   * Prints a result.
   *
   * @param data maps, lists, strings and numbers
   * @param people prints the same for people
   */
  void print(Object data, Consumer<PrintWriter> people) {
    PrintWriter out = command.commandLine().getOut();
    if (json) {
      try {
        out.println(MAPPER.writeValueAsString(data));
      } catch (JsonProcessingException e) {
        throw new IllegalStateException("no JSON for " + data, e);
      }
    } else {
      people.accept(out);
    }
    out.flush();
  }
}
