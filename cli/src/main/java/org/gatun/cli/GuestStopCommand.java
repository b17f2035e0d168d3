package org.gatun.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code gatun guest stop}. */
@Command(
    name = "stop",
    mixinStandardHelpOptions = true,
    description =
        "Has a running broker take all devices from a guest, and end what it runs of it, until it"
            + " is started or the broker starts again.")
final class GuestStopCommand implements Callable<Integer> {
  @Parameters(paramLabel = "GUEST", description = "Its name in the policy file.")
  private String guest;

  @Option(
      names = "--deadline",
      paramLabel = "MILLISECONDS",
      defaultValue = "2000",
      description =
          "How long the guest may take to let go before its devices are taken by force; 0 does not"
              + " ask. Without it: ${DEFAULT-VALUE}.")
  private long deadline;

  @Mixin private final ControlOption control = new ControlOption();

  @Mixin private final Output output = new Output();

  @Override
  public Integer call() throws IOException {
    control.call(
        "StopGuest",
        JsonNodeFactory.instance.objectNode().put("guest", guest).put("deadlineMillis", deadline));
    output.print(Map.of("guest", guest), out -> out.printf("%s: stopped%n", guest));
    return ExitCode.OK;
  }
}
