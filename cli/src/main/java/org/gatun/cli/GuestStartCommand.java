package org.gatun.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code gatun guest start}. */
@Command(
    name = "start",
    mixinStandardHelpOptions = true,
    description =
        "Has a running broker give a guest what it is to have and has not, and run it, if the"
            + " policy file has its program.")
final class GuestStartCommand implements Callable<Integer> {
  @Parameters(paramLabel = "GUEST", description = "Its name in the policy file.")
  private String guest;

  @Mixin private final ControlOption control = new ControlOption();

  @Mixin private final Output output = new Output();

  @Override
  public Integer call() throws IOException {
    control.call("StartGuest", JsonNodeFactory.instance.objectNode().put("guest", guest));
    output.print(Map.of("guest", guest), out -> out.printf("%s: started%n", guest));
    return ExitCode.OK;
  }
}
